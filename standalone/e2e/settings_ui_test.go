package e2e_test

import (
	_ "embed"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

//go:embed testdata/contentkit.html
var contentKit []byte

// gitBook is GitBook as an administrator sees it: a page that draws the settings of an integration,
// and the API that keeps them.
type gitBook struct {
	*httptest.Server

	courier starter

	mu sync.Mutex
	// installation and content are the configurations of the installation and of its space or site.
	installation, content map[string]any
	// kind is "space" or "site".
	kind string
}

func newGitBook(t *testing.T, kind string) *gitBook {
	t.Helper()
	g := &gitBook{kind: kind, installation: map[string]any{}, content: map[string]any{}}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(contentKit) })
	routes.HandleFunc("POST /render", func(w http.ResponseWriter, r *http.Request) { g.render(t, w, r) })
	routes.HandleFunc("PATCH /v1/integrations/courier/installations/inst_def456", g.keep(g.installation))
	routes.HandleFunc("PATCH /v1/integrations/courier/installations/inst_def456/"+kind+"s/{id}", g.keep(g.content))
	g.Server = httptest.NewServer(routes)
	t.Cleanup(g.Close)
	return g
}

// keep serves an update of a configuration.
func (g *gitBook) keep(configuration map[string]any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var update struct{ Configuration map[string]any }
		if r.Header.Get("Authorization") != "Bearer tok_installation" || json.NewDecoder(r.Body).Decode(&update) != nil {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		for name, value := range update.Configuration {
			configuration[name] = value
		}
		_, _ = w.Write([]byte("{}"))
	}
}

// environment is what goes along with every event.
func (g *gitBook) environment() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	encoded, err := json.Marshal(map[string]any{
		"integration": map[string]any{
			"name": "courier", "version": 3, "externalLinks": []any{map[string]any{"url": "https://docs.example.com/webhook"}},
		},
		"installation": map[string]any{"id": "inst_def456", "configuration": g.installation},
		g.kind + "Installation": map[string]any{
			"integration": "courier", "installation": "inst_def456", g.kind: "content_1", "configuration": g.content,
		},
		"apiEndpoint": g.URL,
		"apiTokens":   map[string]any{"integration": "tok_integration", "installation": "tok_installation"},
	})
	if err != nil {
		panic(err) // JSON came in
	}
	return string(encoded)
}

// render passes what was pressed on to the integration.
func (g *gitBook) render(t *testing.T, w http.ResponseWriter, r *http.Request) {
	event := map[string]any{}
	if err := json.NewDecoder(r.Body).Decode(&event); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	environment := g.environment()
	g.mu.Lock()
	event["props"] = map[string]any{
		"installation":          map[string]any{"configuration": g.installation},
		g.kind + "Installation": map[string]any{"configuration": g.content},
	}
	g.mu.Unlock()
	event["eventId"], event["type"], event["componentId"] = "evt_screen", "ui_render", "config"
	event["context"] = map[string]any{"type": "configuration_" + g.kind, "theme": "light"}
	encoded, err := json.Marshal(event)
	if err != nil {
		panic(err) // JSON came in
	}
	answer := g.courier.post(t, string(encoded), environment)
	w.Header().Set("Content-Type", answer.header.Get("Content-Type"))
	w.WriteHeader(answer.status)
	_, _ = w.Write([]byte(answer.body))
}

// An administrator enters a webhook in GitBook, sees no server at all, and gets the events.
func TestSettingsScreenInABrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	receiver, g := hooktest.New(t), newGitBook(t, "site")
	courier := start(t, t.TempDir(), "gitbook_api: "+g.URL+"\n"+configuration())
	g.courier = courier.starter
	secret := func() string {
		t.Helper()
		text, err := chromedp.Run(b.page, chromedp.Evaluate[string](`document.getElementById("code").textContent`))
		require.NoError(t, err)
		require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, text)
		return text
	}
	press := func(action string) chromedp.Action[chromedp.Void] {
		return chromedp.Click(chromedp.Search(`//button[@id="` + action + `"]`))
	}

	b.do(t, "open", chromedp.Navigate(g.URL))
	b.shows(t, "Webhook URL", "Secret", "See our documentation", "Select which events you want to receive for this site:", "Site views", "Page feedbacks", "Save Configuration")
	first := secret()
	b.do(t, "save nothing", press("save.config"))
	b.shows(t, "Webhook URL is required")
	b.do(t, "type a URL", chromedp.SendKeys(chromedp.Search(`//input[@id="webhookUrl"]`), receiver.URL+"/gitbook"), press("save.config"))
	b.shows(t, "At least one event type must be enabled")
	require.Empty(t, g.installation, "a refused save changes nothing")
	b.do(t, "switch on", chromedp.Click(chromedp.Search(`//input[@id="site_view"]`)))
	b.do(t, "save", press("save.config"))
	b.shows(t, "Saved.")

	view := `{"eventId":"evt_view_1","type":"site_view","siteId":"content_1","installationId":"inst_def456"}`
	courier.accept(t, view, g.environment())
	require.Equal(t, 1, strings.Count(receiver.Next(t, t.Context()).Header.Get("X-GitBook-Signature"), "v1="))

	b.do(t, "open again", chromedp.Navigate(g.URL))
	b.shows(t, "Regenerate")
	require.Equal(t, first, secret())
	b.picture(t, "settings")
	b.do(t, "regenerate", press("regenerate.secret"))
	b.do(t, "wait", chromedp.WaitVisible(chromedp.Search(`//button[@id="regenerate.secret" and @disabled]`)))
	require.NotEqual(t, first, secret())
	b.do(t, "save", press("save.config"))
	b.shows(t, "Saved.")
	courier.accept(t, strings.Replace(view, "evt_view_1", "evt_view_2", 1), g.environment())
	require.Equal(t, 2, strings.Count(receiver.Next(t, t.Context()).Header.Get("X-GitBook-Signature"), "v1="))
}
