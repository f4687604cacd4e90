package e2e_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// hosted starts a script of the integration as GitBook hosts it, and returns its address.
func hosted(t *testing.T, script string) string {
	t.Helper()
	node, err := exec.LookPath("node")
	path, absErr := filepath.Abs(filepath.Join("../../integration/dist", script))
	require.NoError(t, absErr)
	if _, missing := os.Stat(path); err != nil || missing != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "node or %s is missing", path)
		t.Skip("the integration is not built; run make test")
	}
	serve, err := filepath.Abs("../../integration/test/serve.mjs")
	require.NoError(t, err)
	p := launch(t, node, nil, serve, path)
	return p.find(t, &p.stdout, `listening on (\S+)`)
}

// dispatch posts an event as GitBook's dispatcher does.
func dispatch(t *testing.T, address, path, event, environment string, fetchBody []byte) reply {
	t.Helper()
	contentType, form := runtimeForm(t, event, environment, fetchBody)
	return post(t, address+path, "", http.Header{"Content-Type": {contentType}}, form)
}

// runtimeForm is the form of a runtime request.
func runtimeForm(t *testing.T, event, environment string, fetchBody []byte) (contentType string, form *bytes.Buffer) {
	t.Helper()
	form = new(bytes.Buffer)
	w := multipart.NewWriter(form)
	require.NoError(t, w.WriteField("event", event))
	require.NoError(t, w.WriteField("environment", environment))
	if fetchBody != nil {
		part, err := w.CreateFormField("fetch-body")
		require.NoError(t, err)
		_, err = part.Write(fetchBody)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), form
}

// post posts to a server that is not held against the API's description. An empty host is the
// address's own.
func post(t *testing.T, address, host string, header http.Header, body io.Reader) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, body)
	require.NoError(t, err)
	request.Header, request.Host = header, host
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{response.StatusCode, response.Header, string(answer)}
}

// The way of an event in production: GitBook's dispatcher, the script that GitBook hosts, Courier,
// the receiver.
func TestTheIntegrationPassesEventsOn(t *testing.T) {
	t.Parallel()
	const token = "a-token-for-the-integration-tests"
	script := hosted(t, "index.mjs")
	search, hooks, own := hooktest.New(t), hooktest.New(t), hooktest.New(t)
	courier := start(t, t.TempDir(), "access: {event_tokens: ["+token+"], api_tokens: [another-token-of-these-tests]}\n"+configuration(
		destination("search", search.URL), destination("hooks", hooks.URL, events("fetch")),
	))
	var environment map[string]any
	require.NoError(t, json.Unmarshal([]byte(environmentOf(own.URL)), &environment))
	environment["secrets"] = map[string]string{"COURIER_URL": string(courier.starter), "COURIER_TOKEN": token}
	environment["integration"].(map[string]any)["externalLinks"] = []map[string]string{{"url": "https://docs.example.com"}}
	encoded, err := json.Marshal(environment)
	require.NoError(t, err)

	spaced := "{ \"eventId\":\"evt_1\",\n\"type\":\"space_content_updated\", \"spaceId\":\"space_xyz789\",\r\n \"installationId\":\"inst_def456\", \"x\":\"& é\" }"
	answer := dispatch(t, script, "/v1", spaced, string(encoded), nil)
	require.Equal(t, http.StatusOK, answer.status, answer.body)
	require.Equal(t, "OK", answer.body)
	for _, receiver := range []*hooktest.Receiver{search, own} {
		require.Equal(t, spaced, string(receiver.Next(t, t.Context()).Body), "byte for byte")
	}

	called := string(gitbook.Sample(gitbook.EventFetch, "evt_2"))
	binary := []byte("\x00\xff\r\n--")
	require.Equal(t, http.StatusOK, dispatch(t, script, "/v1", called, string(encoded), binary).status)
	require.Equal(t, binary, hooks.Next(t, t.Context()).Body)

	settings := `{"eventId":"evt_3","type":"ui_render","componentId":"config","spaceId":"space_xyz789","installationId":"inst_def456",` +
		`"props":{"installation":{"configuration":{}},"spaceInstallation":{"configuration":{}}},"context":{"theme":"light","type":"configuration_space","spaceId":"space_xyz789"}}`
	screen := dispatch(t, script, "/v1", settings, string(encoded), nil)
	require.Equal(t, http.StatusOK, screen.status, screen.body)
	require.Contains(t, screen.body, `"type":"configuration"`)

	environment["secrets"] = map[string]string{"COURIER_URL": "http://127.0.0.1:1", "COURIER_TOKEN": token}
	encoded, err = json.Marshal(environment)
	require.NoError(t, err)
	answer = dispatch(t, script, "/v1", event("site_view", "evt_4"), string(encoded), nil)
	require.Equal(t, http.StatusBadGateway, answer.status, "GitBook's log has the event as failed")
}

// Where no destination wants more, Courier answers each type of event, and what is broken, as
// GitBook's own runtime does.
func TestAnswersAreThoseOfGitBooksRuntime(t *testing.T) {
	t.Parallel()
	runtime := hosted(t, "runtime.mjs")
	courier := start(t, t.TempDir(), configuration())
	environment := environmentOf("https://hooks.example.com/")
	for _, eventType := range gitbook.EventTypes() {
		sample := string(gitbook.Sample(eventType, "evt_"+eventType))
		if eventType == gitbook.EventUIRender { // Courier has the component "config"
			sample = strings.Replace(sample, `"config"`, `"other"`, 1)
		}
		want := dispatch(t, runtime, "/v1", sample, environment, nil)
		got := dispatch(t, string(courier.starter), "/v1", sample, environment, nil)
		require.Equal(t, want.status, got.status, eventType)
		require.Equal(t, want.body, strings.TrimSpace(got.body), eventType)
		mediaType := func(r reply) string { m, _, _ := strings.Cut(r.header.Get("Content-Type"), ";"); return m }
		require.Equal(t, mediaType(want), mediaType(got), eventType)
	}
	for _, path := range []string{"/v2", "/v10"} {
		want := dispatch(t, runtime, path, event("site_view", "evt_1"), environment, nil)
		got := dispatch(t, string(courier.starter), path, event("site_view", "evt_1"), environment, nil)
		require.Equal(t, []any{want.status, want.body}, []any{got.status, got.body}, path)
	}
}

// environmentOf is an environment with the installation's own webhook.
func environmentOf(webhookURL string) string {
	return environment(webhookURL, hooktest.Secret, "gb_token_for_tests")
}
