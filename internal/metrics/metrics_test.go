package metrics

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestMetrics(t *testing.T) {
	t.Parallel()
	m, err := New(Options{EventTypes: []string{"site_view"}, InstallationPrefix: "installation."})
	require.NoError(t, err)
	m.Event("site_view", 200)
	m.Event("site_view", 200)
	m.Event("of_somebody", 406)
	m.Event("", 400)
	m.Attempt("search", "delivered", 200, 20*time.Millisecond)
	m.Attempt("installation.inst_1", "Unavailable", 0, 2*time.Second)
	m.Attempt("installation.inst_2", "Unavailable", 503, time.Minute)
	require.NoError(t, m.Gauge("courier.deliveries.waiting", "", "Waiting.", func(context.Context) []Value {
		return []Value{
			{2, map[string]string{"destination": "installation"}},
			{3, map[string]string{"destination": "installation"}},
			{1, map[string]string{"destination": "search"}},
		}
	}))

	text := scrape(t, m)
	for _, want := range []string{
		`courier_events_total{answer="200",type="site_view"} 2`,
		`courier_events_total{answer="406",type="other"} 1`,
		`courier_events_total{answer="400",type="none"} 1`,
		`courier_attempts_total{destination="search",outcome="delivered",status_class="2xx"} 1`,
		`courier_attempts_total{destination="installation",outcome="Unavailable",status_class="none"} 1`,
		`courier_attempts_total{destination="installation",outcome="Unavailable",status_class="5xx"} 1`,
		`courier_attempt_duration_seconds_bucket{destination="search",le="0.025"} 1`,
		`courier_attempt_duration_seconds_count{destination="installation"} 2`,
		`courier_deliveries_waiting{destination="installation"} 5`,
		`courier_deliveries_waiting{destination="search"} 1`,
	} {
		require.Contains(t, text, "\n"+want+"\n")
	}
	require.Contains(t, text, "go_goroutines")
}

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	require.Equal(t, 200, w.Code)
	require.True(t, strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain"))
	return "\n" + w.Body.String()
}
