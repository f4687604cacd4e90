package docs_test

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	metricOfCourier = regexp.MustCompile(`\bcourier_[a-z_]+`)
	histogramSuffix = regexp.MustCompile(`_(bucket|sum|count)$`)
)

// The dashboard and the alerts ask for metrics that exist.
func TestDashboardAsksForDocumentedMetrics(t *testing.T) {
	t.Parallel()
	documented := read(t, "metrics.md")
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "../deploy/grafana/courier.json")), &dashboard))
	require.NotEmpty(t, dashboard.Panels)
	check := func(title, expression string) {
		for _, name := range metricOfCourier.FindAllString(expression, -1) {
			require.Contains(t, documented, "`"+histogramSuffix.ReplaceAllString(name, "")+"`", title)
		}
	}
	for _, panel := range dashboard.Panels {
		require.NotEmpty(t, panel.Targets, panel.Title)
		for _, target := range panel.Targets {
			check(panel.Title, target.Expr)
		}
	}
	for line := range strings.Lines(read(t, "../deploy/prometheus/alerts.yaml")) {
		if _, expression, ok := strings.Cut(line, "expr:"); ok {
			check(line, expression)
		}
	}
}
