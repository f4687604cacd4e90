package gitbookapi_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/internal/gitbookapi"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestDevelopment(t *testing.T) {
	t.Parallel()
	g := apitest.NewGitBook(t)
	c := gitbookapi.New(g.URL+"/", apitest.GitBookToken, "courier-webhook")
	require.NoError(t, c.StartDevelopment(t.Context(), "https://tunnel.example.com", false))
	require.Equal(t, "https://tunnel.example.com", g.Tunnel())
	require.Equal(t, `body {"all":false,"tunnelUrl":"https://tunnel.example.com"}`, g.Calls()[1])
	require.NoError(t, c.StopDevelopment(t.Context()))
	require.Empty(t, g.Tunnel())
}

func TestEvents(t *testing.T) {
	t.Parallel()
	g := apitest.NewGitBook(t)
	for hour := range 9 {
		g.Log(noon.Add(time.Duration(hour-8)*time.Hour), "failed", `{"eventId":"evt_1","type":"site_view"}`)
	}
	c := gitbookapi.New(g.URL, apitest.GitBookToken, "courier-webhook")
	all, err := c.Events(t.Context(), noon.Add(-4*time.Hour))
	require.NoError(t, err)
	require.Len(t, all, 5)
	require.Equal(t, noon, all[0].CreatedAt)
	require.Equal(t, gitbookapi.StatusFailed, all[0].Status)
	require.JSONEq(t, `{"eventId":"evt_1","type":"site_view"}`, string(all[0].Payload))
	require.Len(t, g.Calls(), 3, "pages before the time are not read")

	all, err = c.Events(t.Context(), noon.Add(-24*time.Hour))
	require.NoError(t, err)
	require.Len(t, all, 9)
}

func TestInstallations(t *testing.T) {
	t.Parallel()
	g := apitest.NewGitBook(t)
	g.Install("/installations/inst 1/spaces/s1", map[string]any{"site_view": true})
	c := gitbookapi.New(g.URL, apitest.GitBookToken, "courier-webhook")
	raw, err := c.SpaceInstallation(t.Context(), "inst 1", "s1")
	require.NoError(t, err)
	require.Contains(t, string(raw), `"site_view":true`)
	_, err = c.SiteInstallation(t.Context(), "inst/1", "s1")
	require.EqualError(t, err, "GitBook's API answered GET /v1/integrations/courier-webhook/installations/inst%2F1/sites/s1 with 404 Not Found; is the integration's name right, and is it published?")
}

// No error shows the token, or words of whoever answers.
func TestErrors(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/integrations/redirect/events" {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
			return
		}
		_, _ = w.Write([]byte("<html>" + r.Header.Get("Authorization")))
	}))
	t.Cleanup(elsewhere.Close)
	g := apitest.NewGitBook(t)
	for _, tt := range []struct{ base, token, integration, want string }{
		{g.URL, "geheim", "courier-webhook", "with 401 Unauthorized; the token must be"},
		{g.URL, apitest.GitBookToken, "other", "with 404 Not Found"},
		{elsewhere.URL, "geheim", "redirect", "with 302 Found"},
		{elsewhere.URL, "geheim", "x", "not the JSON that it describes"},
		{"http://127.0.0.1:1", "geheim", "x", "cannot be reached"},
		{"http://[", "geheim", "x", "is no URL"},
	} {
		_, err := gitbookapi.New(tt.base, tt.token, tt.integration).Events(t.Context(), noon)
		require.ErrorContains(t, err, tt.want)
		require.NotContains(t, err.Error(), "geheim")
	}
}
