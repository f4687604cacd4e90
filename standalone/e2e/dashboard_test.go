package e2e_test

import (
	"encoding/json"
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// panel is a panel of the dashboard, and what its queries have found.
type panel struct {
	Title   string
	Targets []struct{ Expr, LegendFormat string }
	Series  []series `json:"-"`
}

type series struct {
	Name   string
	Points []float64
}

// The dashboard's queries, in a real Prometheus that scrapes a real Courier, find something to
// draw. With -screenshots they are drawn, which makes the picture of docs/operating.md.
func TestDashboard(t *testing.T) {
	t.Parallel()
	prometheus, err := exec.LookPath("prometheus")
	if err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "prometheus is not installed")
		t.Skip("prometheus is not installed")
	}
	lasts := 12 * time.Second
	if *screenshots != "" {
		lasts = 90 * time.Second
	}
	search := hooktest.New(t)
	down := hooktest.New(t, repeated(hooktest.Answer{Status: http.StatusServiceUnavailable}, 400)...)
	admin := freeAddress(t)
	courier := start(t, t.TempDir(), "admin_listen: "+admin+"\n"+configuration(
		destination("search-index", search.URL, events("site_view", "space_content_updated")),
		destination("archive", search.URL, events("site_view")),
		destination("slack-bot", down.URL, events("page_feedback"), retries(time.Second, 2*time.Second)),
	))
	address := freeAddress(t)
	configuration := filepath.Join(t.TempDir(), "prometheus.yaml")
	require.NoError(t, os.WriteFile(configuration, []byte(fmt.Sprintf(
		"global: {scrape_interval: 1s}\nscrape_configs: [{job_name: courier, static_configs: [{targets: [%q]}]}]\n", admin)), 0o600))
	p := launch(t, prometheus, nil, "--config.file="+configuration, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+address)

	begun := time.Now()
	for n := 0; time.Since(begun) < lasts; n++ {
		courier.post(t, event("site_view", fmt.Sprintf("evt_view_%d", n)), noEnvironment)
		if n%4 == 0 {
			courier.post(t, event("page_feedback", fmt.Sprintf("evt_feedback_%d", n)), noEnvironment)
		}
		if n == 40 {
			courier.do(t, http.MethodPost, "/api/destinations/archive/pause", nil, nil)
		}
		<-time.After(50 * time.Millisecond) // the load of the picture, not a wait for anything
	}
	// What nothing happened for has no series.
	quiet := map[string]bool{"Refused at the door": true, "Temporal: failed requests": true}
	panels := dashboard(t)
	for i := range panels {
		waitFor(t, "panel "+panels[i].Title, func() (string, bool) {
			panels[i].Series = nil
			for _, target := range panels[i].Targets {
				panels[i].Series = append(panels[i].Series, query(t, address, target.Expr, target.LegendFormat, begun)...)
			}
			return panels[i].Title, len(panels[i].Series) > 0 || quiet[panels[i].Title]
		})
	}
	p.stop(t)
	drawDashboard(t, panels)
}

func repeated(a hooktest.Answer, n int) (all []hooktest.Answer) {
	for range n {
		all = append(all, a)
	}
	return all
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func dashboard(t *testing.T) []panel {
	t.Helper()
	data, err := os.ReadFile("../../deploy/grafana/courier.json")
	require.NoError(t, err)
	var d struct{ Panels []panel }
	require.NoError(t, json.Unmarshal(data, &d))
	require.NotEmpty(t, d.Panels)
	return d.Panels
}

// query asks Prometheus as Grafana does, with its variables filled in.
func query(t *testing.T, address, expression, legend string, since time.Time) (all []series) {
	t.Helper()
	expression = strings.NewReplacer("$__rate_interval", "4s", "$destination", ".*").Replace(expression)
	form := url.Values{"query": {expression}, "start": {strconv.FormatInt(since.Unix(), 10)}, "end": {strconv.FormatInt(time.Now().Unix(), 10)}, "step": {"1"}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/api/v1/query_range?"+form.Encode(), nil)
	require.NoError(t, err)
	response, err := (&http.Client{Timeout: 10 * time.Second}).Do(request)
	if err != nil {
		return nil // Prometheus is not up yet
	}
	defer response.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	require.NoError(t, json.NewDecoder(response.Body).Decode(&answer))
	require.Equal(t, "success", answer.Status, "%s: %s", expression, answer.Error)
	for _, found := range answer.Data.Result {
		s := series{Name: legend}
		for label, value := range found.Metric {
			s.Name = strings.ReplaceAll(s.Name, "{{"+label+"}}", value)
		}
		for _, value := range found.Values {
			if f, err := strconv.ParseFloat(value[1].(string), 64); err == nil && f == f { // no NaN
				s.Points = append(s.Points, f)
			}
		}
		if len(s.Points) > 1 {
			all = append(all, s)
		}
	}
	return all
}

// Path is the series as the points of an SVG polyline in a box of 100 by 40.
func (p panel) Path(s series) template.HTMLAttr {
	most := 1e-9
	for _, other := range p.Series {
		for _, v := range other.Points {
			most = max(most, v)
		}
	}
	var b strings.Builder
	for i, v := range s.Points {
		fmt.Fprintf(&b, "%.2f,%.2f ", float64(i)*100/float64(len(s.Points)-1), 39-v/most*38)
	}
	return template.HTMLAttr(`points="` + b.String() + `"`)
}

// Most is the greatest value, and its colours those of the series.
func (p panel) Most() string {
	most := 0.0
	for _, other := range p.Series {
		for _, v := range other.Points {
			most = max(most, v)
		}
	}
	return strconv.FormatFloat(most, 'g', 3, 64)
}

// Colour is that of the series with this index.
func (panel) Colour(i int) string {
	return []string{"#2563eb", "#dc2626", "#059669", "#d97706", "#7c3aed", "#0891b2", "#be185d", "#4d7c0f"}[i%8]
}

var dashboardPage = template.Must(template.New("").Parse(`<!doctype html><meta charset="utf-8"><style>
body{font:13px system-ui,sans-serif;margin:12px;background:#fff;color:#111;display:grid;grid-template-columns:repeat(3,1fr);gap:12px}
section{border:1px solid #ddd;border-radius:4px;padding:8px}h2{font-size:13px;margin:0 0 4px}svg{width:100%;height:90px;background:#fafafa}
p{margin:4px 0 0;font-size:11px;color:#444}b{font-weight:600}</style>
{{range $panel := .}}<section><h2>{{.Title}} <span style="font-weight:400;color:#666">up to {{.Most}}</span></h2>
<svg viewBox="0 0 100 40" preserveAspectRatio="none">{{range $i, $s := .Series}}<polyline fill="none" stroke="{{$panel.Colour $i}}" stroke-width="1" vector-effect="non-scaling-stroke" {{$panel.Path $s}}/>{{end}}</svg>
<p>{{range $i, $s := .Series}}{{if lt $i 6}}<b style="color:{{$panel.Colour $i}}">— {{$s.Name}}</b> {{end}}{{end}}</p></section>{{end}}`))

func drawDashboard(t *testing.T, panels []panel) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	file := filepath.Join(t.TempDir(), "dashboard.html")
	out, err := os.Create(file)
	require.NoError(t, err)
	require.NoError(t, dashboardPage.Execute(out, panels))
	require.NoError(t, out.Close())
	b := openBrowser(t)
	_, err = chromedp.Call(b.page, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: 1280, Height: 1000, DeviceScaleFactor: 1})
	require.NoError(t, err)
	b.do(t, "open the dashboard", chromedp.Navigate("file://"+file))
	b.picture(t, "dashboard")
}
