package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// marked are the secrets of the tests below by where they are given. Each is a mark of letters and
// digits alone: so a search for it also finds it where it is escaped for a URL, in JSON or in a
// shell.
type marked map[string]string

// mark makes a secret, of 32 bytes like GitBook's.
func (m marked) mark(place string) string {
	m[place] = fmt.Sprintf("MARK%028s", strings.ToUpper(strings.ReplaceAll(place, " ", "")))
	return m[place]
}

func (m marked) all() []string { return slices.Collect(maps.Values(m)) }

// watched is a program whose every answer is kept.
type watched struct {
	*courier
	client *http.Client
	token  string
	seen   bytes.Buffer
}

func (w *watched) ask(t *testing.T, method, address string, header http.Header, body string) reply {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	if header != nil {
		r.Header = header.Clone()
	}
	client := w.client
	if !strings.HasPrefix(address, string(w.starter)) {
		client = http.DefaultClient // Temporal's UI
	}
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	fmt.Fprintln(&w.seen, answer.Status, answer.Header, string(text))
	return reply{answer.StatusCode, answer.Header, string(text)}
}

// operate calls the API as an operator.
func (w *watched) operate(t *testing.T, method, path, body string) reply {
	t.Helper()
	return w.ask(t, method, string(w.starter)+path, http.Header{"Authorization": {"Bearer " + w.token}, "Content-Type": {"application/json"}}, body)
}

// submit posts a form to /v1.
func (w *watched) submit(t *testing.T, authorization string, fields ...string) reply {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for i := 0; i < len(fields); i += 2 {
		require.NoError(t, form.WriteField(fields[i], fields[i+1]))
	}
	require.NoError(t, form.Close())
	return w.ask(t, http.MethodPost, string(w.starter)+"/v1", http.Header{"Authorization": {authorization}, "Content-Type": {form.FormDataContentType()}}, body.String())
}

// egress is a proxy that repeats what it is told when it refuses: CONNECT always, and the rest
// unless it is for hooks.example.com.
func egress(t *testing.T) (address string) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodConnect && r.URL.Hostname() == "hooks.example.com" {
			return
		}
		w.WriteHeader(http.StatusProxyAuthRequired)
		_, _ = fmt.Fprintln(w, r.RequestURI, r.Header)
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// Every secret that Courier is given bears a mark, and so does the event, which proves that a mark
// would be found. Deliveries succeed and fail in every way.
func TestNoSecretIsStoredOrShown(t *testing.T) {
	t.Parallel()
	marks := marked{}
	const open = "MARK0OF0THE0EVENT"
	both, events, api := marks.mark("token"), marks.mark("event token"), marks.mark("api token")
	source, query, header := marks.mark("source"), marks.mark("url query"), marks.mark("header")
	newer, older := marks.mark("new secret"), marks.mark("old secret")
	password, hook, hookQuery := marks.mark("proxy"), marks.mark("installation"), marks.mark("hook query")
	gitbooks, wrong := marks.mark("gitbook"), marks.mark("wrong")
	sealing := marks.mark("sealing key")

	failing := hooktest.New(t, status(500), hooktest.Answer{Drop: true}, hooktest.Answer{Status: 429, Header: http.Header{"Retry-After": {"0"}}}, status(503))
	missing, hanging, gone := hooktest.New(t, status(404)), hooktest.New(t, hooktest.Answer{Hang: true}), hooktest.New(t, status(410))
	waiting, fine := hooktest.New(t, status(500)), hooktest.New(t)
	moved := hooktest.New(t, hooktest.Answer{Status: 307, Header: http.Header{"Location": {"/b"}}})
	untrusted := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(untrusted.Close)
	// It repeats the request, as test servers do.
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintln(w, r.RequestURI, r.Header)
	}))
	t.Cleanup(echo.Close)
	notTLS := "https" + strings.TrimPrefix(fine.URL, "http")

	give := func(name, url string, more ...string) string {
		return destination(name, `"`+url+`/hook?key=${COURIER_QUERY}"`, append(more,
			`secrets: ["${COURIER_NEW}", "${COURIER_OLD}"]`, `headers: {Authorization: "Bearer ${COURIER_HEADER}"}`)...)
	}
	outside := "allow_private: false"
	destinations := []string{
		give("fine", fine.URL), give("failing", failing.URL, quick()), give("missing", missing.URL, "notify: fine"), give("moved", moved.URL), give("echo", echo.URL),
		give("hanging", hanging.URL, "timeout: 100ms", retries()), give("refused", "http://"+unusedAddress(t), retries()),
		give("untrusted", untrusted.URL, retries()), give("not-tls", notTLS, retries()), give("waiting", waiting.URL, retries(10*time.Minute)),
		give("unnamed", "http://courier.invalid", retries()),
		give("forbidden", "http://127.0.0.1:1", outside), give("local", "http://localhost:1", outside),
		give("proxied", "http://hooks.example.com", outside), give("refused-by-proxy", "http://other.example.com", outside, retries()),
		give("no-tunnel", "https://hooks.example.com", outside, retries()),
	}
	files := newCertified(t)
	client := files.renew(t, 1)
	data := t.TempDir()
	yaml := files.yaml() + `access: {tokens: ["${COURIER_TOKEN}"], event_tokens: ["${COURIER_EVENT_TOKEN}"], api_tokens: ["${COURIER_API_TOKEN}"]}
sealing_keys: ["${COURIER_KEY}"]
egress_proxy: "http://courier:${COURIER_PROXY}@` + egress(t) + `"
` + strings.Replace(configuration(destinations...), sourceSecret, `"${COURIER_SOURCE}"`, 1)
	variables := []string{
		"COURIER_TOKEN=" + both, "COURIER_EVENT_TOKEN=" + events, "COURIER_API_TOKEN=" + api, "COURIER_SOURCE=" + source,
		"COURIER_QUERY=" + query, "COURIER_NEW=" + newer, "COURIER_OLD=" + older, "COURIER_HEADER=" + header, "COURIER_PROXY=" + password,
		"COURIER_KEY=" + base64.StdEncoding.EncodeToString([]byte(sealing)), "TEMPORAL_API_KEY=" + marks.mark("temporal api key"),
	}
	w := &watched{courier: started(t, launch(t, "standalone", variables, arguments(t, data, yaml)...)), client: client, token: api}

	given := `{"eventId":"evt_1","type":"space_content_updated","spaceId":"space_xyz789","note":"` + open + `"}`
	accepted(t, w.submit(t, "Bearer "+events, "event", given, "environment", environment(gone.URL+"/b?key="+hookQuery, hook, gitbooks)))
	refuseCallers(t, w, marks, wrong)
	failures := map[string]string{
		"fine": "delivered", "proxied": "delivered", "failing": "Unavailable: 503 Service Unavailable", "waiting": "Unavailable: 500 Internal Server Error",
		"missing": "Rejected: 404 Not Found", "echo": "Rejected: 400 Bad Request", "installation.inst_def456": "Rejected: 410 Gone",
		"moved": "Redirected: 307 Temporary Redirect", "hanging": "Unavailable: no answer within the timeout",
		"refused": "Unavailable: connection refused", "untrusted": "Unavailable: the receiver's certificate is signed by an unknown authority",
		"not-tls": "Unavailable: the port does not speak TLS",
		"unnamed": "Unavailable: ", "forbidden": "AddressForbidden: the address is private or reserved",
		"local":            "AddressForbidden: localhost is this machine",
		"refused-by-proxy": "Unavailable: through the egress proxy", "no-tunnel": "Unavailable: through the egress proxy",
	}
	require.Len(t, failures, len(destinations)+1)
	w.awaitOutcomes(t, failures)
	operateOnEverything(t, w)

	key, err := os.ReadFile(files.key)
	require.NoError(t, err)
	marks["private key"] = privateKey(t, key)
	own, err := os.ReadFile(filepath.Join(data, "sealing.key"))
	require.NoError(t, err)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(own)))
	require.NoError(t, err)
	marks["own sealing key"] = string(raw)

	stored := w.history(t, slices.Sorted(maps.Keys(failures)))
	require.Contains(t, string(stored), open)
	requireNone(t, "Temporal's answers", stored, marks.all())
	requireNone(t, "the answers", w.seen.Bytes(), marks.all())
	require.Contains(t, w.seen.String(), "evt_1@fine")
	require.NotContains(t, w.operate(t, http.MethodGet, "/api/deliveries", "").body, "evt_refused")

	require.NoError(t, os.Remove(filepath.Join(data, "sealing.key")))
	stored = readFolder(t, data)
	w.stop(t)
	stored = append(stored, readFolder(t, data)...)
	require.Contains(t, string(stored), open)
	requireNone(t, "the data folder", stored, marks.all())
	requireNone(t, "stdout and stderr", []byte(w.stdout.String()+w.stderr.String()), marks.all())
	require.Contains(t, w.stderr.String(), "AddressForbidden")
}

// refuseCallers sends what is refused, with secrets in it.
func refuseCallers(t *testing.T, w *watched, marks marked, wrong string) {
	t.Helper()
	door := string(w.starter)
	form := http.Header{"Authorization": {"Bearer " + marks["event token"]}, "Content-Type": {"multipart/form-data; boundary=b"}}
	site := event("space_content_updated", "evt_refused")
	for _, authorization := range []string{"", "Bearer " + wrong, "Basic " + base64.StdEncoding.EncodeToString([]byte("courier:"+wrong)), "Bearer " + marks["api token"], wrong} {
		require.Equal(t, http.StatusUnauthorized, w.submit(t, authorization, "event", site, "environment", "{}").status)
	}
	require.Equal(t, http.StatusUnauthorized, w.ask(t, http.MethodPost, door+"/v1?token="+marks["token"], nil, "").status)
	require.Equal(t, http.StatusUnauthorized, w.ask(t, http.MethodGet, door+"/api/deliveries", http.Header{"Authorization": {"Bearer " + marks["event token"]}}, "").status)
	require.Equal(t, http.StatusBadRequest, w.ask(t, http.MethodPost, door+"/v2", form, "").status)
	for _, signature := range []string{"", marks["source"], gitbook.Sign(time.Now(), []byte(site), wrong), gitbook.Sign(time.Now().Add(-time.Hour), []byte(site), marks["source"])} {
		header := http.Header{"Content-Type": {"application/json"}, gitbook.SignatureHeader: {signature}}
		require.Equal(t, http.StatusUnauthorized, w.ask(t, http.MethodPost, door+"/webhooks/docs", header, site).status)
	}
	secret := marks["installation"]
	for _, broken := range []string{
		secret, `"` + secret + `"`, `["` + secret + `"]`, `{"installation":{"configuration":{"secret":"` + secret, `{"apiTokens":` + marks["gitbook"] + `}`,
	} {
		require.Equal(t, http.StatusBadRequest, w.submit(t, form.Get("Authorization"), "event", site, "environment", broken).status, broken)
	}
	for _, body := range []string{
		"--b\r\nContent-Disposition: form-data; name=environment\r\n\r\n{\"" + secret, "--b\r\n" + secret + "\r\n\r\n", secret,
		"--b\r\nContent-Disposition: form-data; name=\"" + secret + "\r\n\r\n--b--\r\n",
	} {
		require.Equal(t, http.StatusBadRequest, w.ask(t, http.MethodPost, door+"/v1", form, body).status, body)
	}
}

// awaitOutcomes waits until every delivery is over, or waits for long, with a failure that begins
// like this.
func (w *watched) awaitOutcomes(t *testing.T, failures map[string]string) {
	t.Helper()
	for name, failure := range failures {
		shown := waitFor(t, "the outcome of "+name, func() (d delivery, over bool) {
			require.NoError(t, json.Unmarshal([]byte(w.operate(t, http.MethodGet, deliveryPath(name, "evt_1"), "").body), &d))
			return d, d.ClosedAt != nil || name == "waiting" && d.AttemptCount == 1 && d.Runs[0].NextAttemptAt != nil
		})
		last := shown.Runs[0].Attempts[len(shown.Runs[0].Attempts)-1]
		require.Regexp(t, "^"+regexp.QuoteMeta(failure), last.Outcome+": "+last.Error, name)
	}
}

// operateOnEverything calls what an operator can call.
func operateOnEverything(t *testing.T, w *watched) {
	t.Helper()
	for _, call := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/deliveries", "", 200},
		{"GET", "/api/deliveries?destination=failing&status=undelivered", "", 200},
		{"GET", "/api/deliveries?cursor=nonsense", "", 400},
		{"GET", "/api/deliveries/fine/evt_0", "", 404},
		{"GET", "/api/destinations", "", 200},
		{"POST", "/api/deliveries/waiting/evt_1/redeliver", "", 409},
		{"POST", "/api/deliveries/waiting/evt_1/retry", "", 202},
		{"POST", "/api/deliveries/failing/evt_1/redeliver", "", 202},
		{"POST", "/api/deliveries/failing/evt_1/cancel", "", 0},
		{"POST", "/api/destinations/fine/pause", "", 202},
		{"POST", "/api/destinations/fine/resume", "", 202},
		{"POST", "/api/destinations/fine/test", "", 202},
		{"POST", "/api/redeliveries", `{"destination":"nowhere"}`, 404},
		{"POST", "/api/redeliveries", `{"destination":"fine","dryRun":true}`, 202},
		{"POST", "/api/redeliveries", `{"destination":`, 400},
		{"POST", "/codec/decode", `{"payloads":[{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="},"data":"AAAA"}]}`, 400},
		{"GET", "/healthz", "", 200},
		{"GET", "/readyz", "", 200},
		{"GET", "/openapi.yaml", "", 200},
		{"GET", "/nowhere/at/all", "", 404},
	} {
		answer := w.operate(t, call.method, call.path, call.body)
		if call.want != 0 {
			require.Equal(t, call.want, answer.status, call.path+answer.body)
		}
	}
}

// history is what Temporal returns for the deliveries of evt_1, over gRPC in both its encodings and
// through its UI.
func (w *watched) history(t *testing.T, names []string) []byte {
	t.Helper()
	var all bytes.Buffer
	add := func(message proto.Message) {
		readable, err := protojson.Marshal(message)
		require.NoError(t, err)
		raw, err := proto.Marshal(message)
		require.NoError(t, err)
		all.Write(append(readable, raw...))
	}
	page := func(path string) {
		answer := w.ask(t, http.MethodGet, w.ui+path, nil, "")
		require.Equal(t, http.StatusOK, answer.status, path+answer.body)
	}
	for _, name := range names {
		id := "evt_1@" + name
		add(readHistory(t, w.courier.client, id, ""))
		described, err := w.courier.client.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		add(described)
		page("/api/v1/namespaces/default/workflows/" + id)
		page("/api/v1/namespaces/default/workflows/" + id + "/history")
	}
	listed, err := w.courier.client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Namespace: "default"})
	require.NoError(t, err)
	add(listed)
	for _, path := range []string{"/api/v1/settings", "/api/v1/cluster-info", "/api/v1/namespaces", "/api/v1/namespaces/default/workflows", "/api/v1/namespaces/default/task-queues/gitbook-webhooks"} {
		page(path)
	}
	return all.Bytes()
}

// privateKey is the secret number of a PEM file's key.
func privateKey(t *testing.T, file []byte) string {
	t.Helper()
	block, _ := pem.Decode(file)
	require.NotNil(t, block)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	secret, err := key.(*ecdsa.PrivateKey).Bytes()
	require.NoError(t, err)
	return string(secret)
}

// readFolder is the content of all files of a folder.
func readFolder(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, content...)
		return err
	}))
	return all
}

// requireNone checks that none of the secrets is in a text, neither as it is nor in hex or in
// base64 of any alignment.
func requireNone(t *testing.T, where string, text []byte, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		digits := hex.EncodeToString([]byte(secret))
		forms := []string{secret, digits, strings.ToUpper(digits)}
		for shift := range 3 {
			// The characters at both ends depend on what is beside the secret. Letters and digits
			// have no + or / there, which URLs would alter.
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + secret))
			forms = append(forms, encoded[4:len(encoded)-4])
		}
		for _, form := range forms {
			require.False(t, bytes.Contains(text, []byte(form)), "%q is in %s", secret, where)
		}
	}
}
