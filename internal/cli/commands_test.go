package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
)

// execute runs a command line at noon.
func execute(t *testing.T, ctx context.Context, variables map[string]string, in string, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	root := newRoot("courierctl", environment{
		in: strings.NewReader(in), out: &b, now: func() time.Time { return noon },
		getenv: func(name string) string { return variables[name] },
	})
	root.SetArgs(args)
	err = root.ExecuteContext(ctx)
	return b.String(), err
}

// api is a Courier that answers with what it is given, by method and path, and notes requests. Its
// answers and requests are held against the OpenAPI document.
func api(t *testing.T, answers map[string]string) (variables map[string]string, asked *[]string) {
	t.Helper()
	asked = new([]string)
	server := httptest.NewServer(apitest.Validate(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(bytes.Buffer)
		_, _ = body.ReadFrom(r.Body)
		call := r.Method + " " + r.URL.RequestURI()
		*asked = append(*asked, call+" "+body.String())
		answer, ok := answers[call]
		w.Header().Set("Content-Type", "application/json")
		switch {
		case r.Header.Get("Authorization") != "Bearer token":
			w.Header().Set("WWW-Authenticate", `Bearer realm="courier"`)
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"a token is missing"}`))
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			_, _ = w.Write([]byte(`{"error":"no such delivery"}`))
		default:
			if r.Method == http.MethodPost {
				w.WriteHeader(http.StatusAccepted)
			}
			_, _ = w.Write([]byte(answer))
		}
	})))
	t.Cleanup(server.Close)
	return map[string]string{urlVariable: server.URL + "/", tokenVariable: "token"}, asked
}

const (
	one = `{"destination":"search","eventId":"evt_1","type":"site_view","status":"undelivered","url":"https://example.com/","acceptedAt":"2026-03-04T11:00:00Z",` +
		`"closedAt":"2026-03-04T11:00:01Z","failure":"Rejected: 404 \u001b[2J","attemptCount":1,"runs":[`
	attempts = `{"runId":"r","reason":"event","status":"undelivered","startedAt":"2026-03-04T11:00:00Z","closedAt":"2026-03-04T11:00:01Z","attempts":[` +
		`{"number":1,"startedAt":"2026-03-04T11:00:00Z","durationMs":12,"statusCode":404,"outcome":"Rejected","error":"404 Not Found","reply":"gone","worker":"w"}]}`
)

func TestDeliveries(t *testing.T) {
	t.Parallel()
	variables, asked := api(t, map[string]string{
		"GET /api/deliveries?destination=search&limit=200&since=2026-03-03T12%3A00%3A00Z&status=undelivered":          `{"deliveries":[` + one + attempts + `]}],"nextCursor":"c"}`,
		"GET /api/deliveries?cursor=c&destination=search&limit=200&since=2026-03-03T12%3A00%3A00Z&status=undelivered": `{"deliveries":[` + one + attempts + `]}]}`,
		"GET /api/deliveries/search/evt%2F1": one + attempts + `]}`,
	})
	list := []string{"deliveries", "--destination", "search", "--status", "undelivered", "--since", "1d", "--limit", "201"}
	out, err := execute(t, t.Context(), variables, "", list...)
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(out, "\n"), "a line each, below the head")
	require.Contains(t, out, "2026-03-04 11:00:00  undelivered  search")
	require.Contains(t, out, "Rejected: 404 \ufffd[2J", "what could move the cursor is not printed")

	out, err = execute(t, t.Context(), variables, "", append(list, "--output", "json")...)
	require.NoError(t, err)
	var all []map[string]any
	require.NoError(t, json.Unmarshal([]byte(out), &all))
	require.Len(t, all, 2)

	out, err = execute(t, t.Context(), variables, "", "deliveries", "search", "evt/1")
	require.NoError(t, err)
	for _, want := range []string{"https://example.com/", "event of 2026-03-04 11:00:00 UTC: undelivered", "12 ms  Rejected  404", "gone"} {
		require.Contains(t, out, want)
	}
	require.Len(t, *asked, 5)
}

func TestErrorsOfTheAPI(t *testing.T) {
	t.Parallel()
	variables, _ := api(t, nil)
	_, err := execute(t, t.Context(), variables, "", "deliveries", "search", "evt_1")
	require.EqualError(t, err, "404 Not Found: no such delivery")
	delete(variables, tokenVariable)
	_, err = execute(t, t.Context(), variables, "", "deliveries", "search", "evt_1")
	require.EqualError(t, err, "401 Unauthorized: a token is missing; COURIER_TOKEN must be a token of the configuration")
	_, err = execute(t, t.Context(), nil, "", "deliveries", "--url", "http://127.0.0.1:1")
	require.ErrorContains(t, err, "http://127.0.0.1:1 cannot be reached")
	for _, args := range [][]string{
		{"deliveries", "one"},
		{"deliveries", "--since", "soon"},
		{"deliveries", "--since", "-1h"},
		{"redeliver"},
		{"redeliver", "one"},
		{"redeliver", "one", "two", "--all"},
		{"send"},
		{"send", "site_view", "--file", "-"},
		{"verify"},
		{"sign"},
		{"listen"},
		{"tail", "--interval", "1ms"},
		{"deliveries", "--output", "yaml"},
		{"send", "site_view", "--source", "docs"},
		{"listen", "--status", "99"},
	} {
		_, err := execute(t, t.Context(), map[string]string{}, "", args...)
		require.Error(t, err, args)
		require.NotContains(t, err.Error(), "reached", args)
	}
}

func TestRedeliver(t *testing.T) {
	t.Parallel()
	const head = `"startedAt":"2026-03-04T12:00:00Z","filter":{"status":"undelivered","until":"2026-03-04T12:00:00Z"},"perSecond":50,"dryRun":true,`
	const counts = `"started":0,"skipped":0,"failed":0,"delivered":0,"undelivered":0,"waiting":0`
	variables, asked := api(t, map[string]string{
		"POST /api/deliveries/search/evt_1/redeliver":                `{"destination":"search","eventId":"evt_1","runId":"1b4e28ba-2fa1-41d2-883f-0016d3cca427"}`,
		"POST /api/redeliveries":                                     `{"id":"1b4e28ba-2fa1-41d2-883f-0016d3cca427",` + head + `"status":"running","found":0,` + counts + `}`,
		"GET /api/redeliveries/1b4e28ba-2fa1-41d2-883f-0016d3cca427": `{"id":"1b4e28ba-2fa1-41d2-883f-0016d3cca427",` + head + `"status":"completed","found":7,` + counts + `}`,
	})
	out, err := execute(t, t.Context(), variables, "", "redeliver", "search", "evt_1")
	require.NoError(t, err)
	require.Contains(t, out, "It is sent again")
	out, err = execute(t, t.Context(), variables, "", "redeliver", "--since", "1d", "--dry-run")
	require.NoError(t, err)
	require.Equal(t, "job 1b4e28ba-2fa1-41d2-883f-0016d3cca427: completed; 7 found; nothing was sent\n", out)
	require.Equal(t, `POST /api/redeliveries {"dryRun":true,"since":"2026-03-03T12:00:00Z"}`, (*asked)[1])
}

func TestSend(t *testing.T) {
	t.Parallel()
	var requests []*http.Request
	var bodies [][]byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r)
		if r.URL.Path == "/v1" {
			request, err := gitbook.ParseRuntimeRequest(r.Header.Get("Content-Type"), r.Body)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			bodies = append(bodies, request.Event.Raw())
		} else {
			body := new(bytes.Buffer)
			_, _ = body.ReadFrom(r.Body)
			bodies = append(bodies, body.Bytes())
		}
		w.Header().Set("Courier-Delivery", "evt_1@search")
	}))
	t.Cleanup(server.Close)
	variables := map[string]string{urlVariable: server.URL, sourceSecretVariable: "geheim"}
	for _, args := range [][]string{{"send", "site_view", "--id", "evt_1"}, {"send", "site_view", "--id", "evt_1", "--source", "docs"}} {
		out, err := execute(t, t.Context(), variables, "", args...)
		require.NoError(t, err)
		require.Equal(t, "Stored: evt_1@search\n", out)
	}
	require.Equal(t, string(gitbook.Sample("site_view", "evt_1")), string(bodies[0]))
	require.Equal(t, bodies[0], bodies[1])
	require.Equal(t, "/webhooks/docs", requests[1].URL.Path)
	verifier := gitbook.Verifier{Secrets: []string{"geheim"}, Now: func() time.Time { return noon }}
	require.NoError(t, verifier.Verify(requests[1].Header.Get(gitbook.SignatureHeader), bodies[1]))

	_, err := execute(t, t.Context(), variables, `{"eventId":"evt_2","type":"own"}`, "send", "--file", "-")
	require.NoError(t, err)
	require.JSONEq(t, `{"eventId":"evt_2","type":"own"}`, string(bodies[2]))
}

// What sign prints, verify finds genuine.
func TestSignAndVerify(t *testing.T) {
	t.Parallel()
	body := filepath.Join(t.TempDir(), "body")
	require.NoError(t, os.WriteFile(body, []byte(original), 0o600))
	variables := map[string]string{secretVariable: "new,old"}
	headers, err := execute(t, t.Context(), variables, "", "sign", body)
	require.NoError(t, err)
	require.Contains(t, headers, "webhook-id: evt_1\n")
	out, err := execute(t, t.Context(), variables, headers+"\n"+original, "verify")
	require.NoError(t, err)
	require.Equal(t, "Genuine.\n- X-GitBook-Signature verifies: signed just now.\n", out)

	args := []string{"verify", "--body", body}
	for header := range strings.Lines(headers) {
		args = append(args, "--header", strings.TrimSpace(header))
	}
	_, err = execute(t, t.Context(), map[string]string{secretVariable: "old"}, "", args...)
	require.NoError(t, err)
	out, err = execute(t, t.Context(), map[string]string{secretVariable: "other"}, "", append(args, "-o", "json")...)
	require.ErrorIs(t, err, errRefused)
	require.Contains(t, out, `"genuine": false`)
}

func TestListen(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	s := &showing{cli: &cli{environment: environment{out: &out, now: func() time.Time { return noon }}, output: "text"}, secrets: []string{"geheim"}, status: http.StatusServiceUnavailable}
	post := func(secret string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(original))
		r.Header.Set(gitbook.SignatureHeader, gitbook.Sign(noon, []byte(original), secret))
		r.Header.Set("Authorization", "Bearer streng-geheim")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
	require.Equal(t, http.StatusServiceUnavailable, post("geheim"))
	require.Equal(t, http.StatusUnauthorized, post("other"))
	for _, want := range []string{"verifies: signed just now", "answered 503", "Most likely the secret is another one", `"word": "é"`} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "geheim")
}

func TestTailPrintsEachChangeOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		answer := `{"deliveries":[` + one + `]}]}`
		switch {
		case asked < 3:
			answer = strings.ReplaceAll(answer, `"undelivered"`, `"retrying"`)
		case asked == 5:
			cancel()
		}
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(server.Close)
	out, err := execute(t, ctx, map[string]string{urlVariable: server.URL}, "", "tail", "--interval", "100ms")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	require.Len(t, lines, 2, out)
	require.Contains(t, lines[0], "retrying")
	require.Contains(t, lines[1], "undelivered")
}
