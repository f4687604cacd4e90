package e2e_test

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// documentedMetric is the name of a metric of Courier's in docs/metrics.md.
var documentedMetric = regexp.MustCompile("`(courier_[a-z_]+)`")

// Every metric of Courier's that is shown is documented, and the other way around, as far as one
// process shows it.
func TestMetricsAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	search := hooktest.New(t)
	admin := unusedAddress(t)
	file := writeConfiguration(t, strings.Replace(configuration(destination("search", search.URL)), "listen:", "log_format: json\nlisten:", 1))
	p := launch(t, "standalone", nil, "--data", t.TempDir(), "--config", file, "--ui-listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0", "--admin-listen", admin)
	p.find(t, &p.stderr, `"msg":"(worker started)"`)
	courier := starter("http://" + p.find(t, &p.stderr, `"msg":"listening","scheme":"http","address":"([^"]+)"`))
	courier.awaitReady(t)
	courier.accept(t, event("site_view", "evt_1"), noEnvironment)
	courier.awaitStatus(t, "search", "evt_1", "delivered")

	get := func(path string) (int, string) {
		client := &http.Client{Timeout: 10 * time.Second}
		response, err := client.Get("http://" + admin + path) //nolint:noctx // The client has a timeout.
		require.NoError(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(body)
	}
	for path, want := range map[string]string{"/healthz": "OK", "/readyz": "OK"} {
		status, body := get(path)
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, want, body)
	}
	_, text := get("/metrics")
	document, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	documented, shown := make(map[string]bool), make(map[string]bool)
	table, _, _ := strings.Cut(string(document), "## Alerts")
	for _, m := range documentedMetric.FindAllStringSubmatch(table, -1) {
		documented[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (courier_[a-z_]+) `).FindAllStringSubmatch(text, -1) {
		shown[m[1]] = true
	}
	// Nothing is held, and nothing is served with TLS.
	shown["courier_destination_held"], shown["courier_certificate_expiry_timestamp_seconds"] = true, true
	require.Equal(t, documented, shown)
	require.Contains(t, text, `courier_deliveries_total{`)
	require.Contains(t, text, "\ntemporal_request_total{")

	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.exitCode(t, patience))
	p.find(t, &p.stderr, `"msg":"(stopped)"`)
}
