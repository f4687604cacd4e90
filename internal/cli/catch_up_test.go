package cli

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
)

func TestCatchUp(t *testing.T) {
	t.Parallel()
	g := apitest.NewGitBook(t)
	g.Install("/installations/inst_def456", map[string]any{"webhookUrl": "https://hooks.example.com/", "secret": "geheim"})
	g.Install("/installations/inst_def456/spaces/space_xyz789", map[string]any{"space_content_updated": true})
	g.Log(noon.Add(-3*time.Hour), "failed", string(gitbook.Sample("space_content_updated", "evt_too_old")))
	g.Log(noon.Add(-time.Hour), "failed", string(gitbook.Sample("space_content_updated", "evt_1")))
	g.Log(noon.Add(-time.Hour), "success", string(gitbook.Sample("space_content_updated", "evt_2")))
	g.Log(noon.Add(-time.Hour), "failed", string(gitbook.Sample("ui_render", "evt_3")))
	g.Log(noon.Add(-time.Hour), "failed", string(gitbook.Sample("site_view", "evt_4")))
	g.Log(noon.Add(-time.Minute), "failed", string(gitbook.Sample("space_content_updated", "evt_5")))
	g.Log(noon.Add(-time.Minute), "failed", string(gitbook.Sample("space_gitsync_started", "evt_6")))
	g.Log(noon.Add(-time.Minute), "failed", `{"type":"site_view"}`)

	var taken []gitbook.RuntimeRequest
	status := http.StatusOK
	courier := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, err := gitbook.ParseRuntimeRequest(r.Header.Get("Content-Type"), r.Body)
		if err != nil || r.Header.Get("Authorization") != "Bearer courier-token" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		if status != http.StatusOK {
			w.WriteHeader(status)
			return
		}
		taken = append(taken, request)
		switch request.Event.ID {
		case "evt_5":
			w.Header().Set("Courier-Duplicate", "true")
		case "evt_6":
			w.WriteHeader(http.StatusNotAcceptable)
		}
		if request.Event.ID != "evt_4" {
			w.Header().Set("Courier-Delivery", request.Event.ID+"@search")
		}
	}))
	t.Cleanup(courier.Close)
	variables := map[string]string{urlVariable: courier.URL, tokenVariable: "courier-token", gitBookTokenVariable: apitest.GitBookToken}
	args := []string{"catch-up", "--integration", "courier-webhook", "--since", "2h", "--gitbook-api", g.URL}

	out, err := execute(t, t.Context(), variables, "", append(args, "--dry-run")...)
	require.NoError(t, err)
	require.Equal(t, "6 events failed; 4 of them can be taken in. Nothing was.\n", out)
	require.Empty(t, taken)

	out, err = execute(t, t.Context(), variables, "", args...)
	require.ErrorContains(t, err, "1 events were refused", "a script must learn of it")
	require.Equal(t, "6 events failed: 1 stored, 1 stored before, 1 that no destination wants, 1 refused, 2 left out.\n", out)
	require.Equal(t, "evt_1", taken[0].Event.ID, "the oldest first")
	require.Equal(t, string(gitbook.Sample("space_content_updated", "evt_1")), string(taken[0].Event.Raw()))
	webhook, ok := taken[0].Environment.Webhook("space_content_updated")
	require.True(t, ok)
	require.Equal(t, gitbook.Webhook{URL: "https://hooks.example.com/", Secret: "geheim"}, webhook)
	asked := 0
	for _, call := range g.Calls() {
		if call == "GET /v1/integrations/courier-webhook/installations/inst_def456" {
			asked++
		}
	}
	require.Equal(t, 1, asked, "an installation is asked for once")

	for _, trouble := range []int{http.StatusServiceUnavailable, http.StatusBadGateway} {
		status = trouble
		out, err = execute(t, t.Context(), variables, "", args...)
		require.ErrorContains(t, err, http.StatusText(trouble), "without a Courier that stores, the rest waits")
		require.Contains(t, out, "1 events failed: 0 stored")
	}
	delete(variables, gitBookTokenVariable)
	_, err = execute(t, t.Context(), variables, "", args...)
	require.ErrorContains(t, err, "set GITBOOK_TOKEN")
	_, err = execute(t, t.Context(), variables, "", "catch-up")
	require.ErrorContains(t, err, "required flag")
}
