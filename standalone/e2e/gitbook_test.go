package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// While an integration is developed, GitBook sends its requests here, to any path and without a
// token; when the program stops it does so no more.
func TestCourierIsADevelopmentTarget(t *testing.T) {
	t.Parallel()
	g := apitest.NewGitBook(t)
	p := launch(t, "standalone", []string{"GITBOOK_TOKEN=" + apitest.GitBookToken}, "dev",
		"--integration", "courier-webhook", "--public-url", "https://tunnel.example.com/x", "--gitbook-api", g.URL,
		"--data", t.TempDir(), "--listen", "127.0.0.1:0", "--demo-listen", "127.0.0.1:0", "--ui-listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0", "--admin-listen", "off")
	address := listening(t, p)
	require.Equal(t, "https://tunnel.example.com/x", g.Tunnel())
	p.find(t, &p.stdout, `(GitBook sends the requests of courier-webhook)`)
	p.find(t, &p.stdout, `(Temporal gRPC)`)

	for _, path := range []string{"/", "/v1", "/v2", "/x/y"} {
		contentType, form := runtimeForm(t, event("site_view", "evt_1"), noEnvironment, nil)
		answer := post(t, string(address)+path, "tunnel.example.com", http.Header{"Content-Type": {contentType}}, form)
		require.Equal(t, http.StatusOK, answer.status, path)
		require.Equal(t, "evt_1@demo", answer.header.Get("Courier-Delivery"), path)
	}
	// The rest of Courier is not there for strangers.
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, string(address)+"/api/deliveries", nil)
	require.NoError(t, err)
	request.Host = "tunnel.example.com"
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusForbidden, response.StatusCode)

	p.stop(t)
	require.Empty(t, g.Tunnel())
}

// What GitBook's log has as failed is taken in once.
func TestCatchUp(t *testing.T) {
	t.Parallel()
	const token = "a-token-for-the-catch-up-tests"
	search, own := hooktest.New(t), hooktest.New(t)
	courier := start(t, t.TempDir(), "access: {tokens: ["+token+"]}\n"+configuration(destination("search", search.URL)))
	g := apitest.NewGitBook(t)
	g.Install("/installations/inst_def456", map[string]any{"webhookUrl": own.URL, "secret": hooktest.Secret})
	g.Install("/installations/inst_def456/spaces/space_xyz789", map[string]any{"space_content_updated": true})
	now := time.Now()
	missed := event("space_content_updated", "evt_missed")
	g.Log(now.Add(-2*time.Minute), "failed", missed)
	g.Log(now.Add(-time.Minute), "success", event("space_content_updated", "evt_arrived"))
	for _, want := range []string{
		"1 events failed: 1 stored, 0 stored before, 0 that no destination wants, 0 refused, 0 left out.\n",
		"1 events failed: 0 stored, 1 stored before, 0 that no destination wants, 0 refused, 0 left out.\n",
	} {
		p := launch(t, "standalone", []string{"GITBOOK_TOKEN=" + apitest.GitBookToken, "COURIER_TOKEN=" + token, "COURIER_URL=" + string(courier.starter)},
			"catch-up", "--integration", "courier-webhook", "--since", "1h", "--gitbook-api", g.URL)
		require.Zero(t, p.exitCode(t, stopTime), "%s", &p.stderr)
		require.Equal(t, want, p.stdout.String())
	}
	for _, receiver := range []*hooktest.Receiver{search, own} {
		request := receiver.Next(t, t.Context())
		require.NoError(t, request.Verified)
		require.Equal(t, missed, string(request.Body))
		require.Len(t, receiver.Requests(), 1)
	}
}
