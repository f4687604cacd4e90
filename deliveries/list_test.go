package deliveries

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func execution(start time.Time, runID string) *workflowpb.WorkflowExecutionInfo {
	return &workflowpb.WorkflowExecutionInfo{
		Execution: &commonpb.WorkflowExecution{WorkflowId: "evt@search", RunId: runID},
		StartTime: timestamppb.New(start),
	}
}

func TestFilterQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give Filter
		want string
	}{
		{"everything", Filter{}, "WorkflowType = 'Delivery'"},
		{
			"all filters",
			Filter{Destination: "search", Type: "site_view", Installation: "i", Space: "s", Site: "t", Job: "j", Since: noon, Until: noon.Add(time.Hour), Status: Undelivered},
			"WorkflowType = 'Delivery' AND WebhookDestination = 'search' AND GitBookEventType = 'site_view' AND GitBookInstallation = 'i' AND GitBookSpace = 's'" +
				" AND GitBookSite = 't' AND WebhookRedelivery = 'j' AND StartTime >= '2026-03-04T12:00:00Z' AND StartTime < '2026-03-04T13:00:00Z'" +
				" AND ExecutionStatus IN ('Failed', 'TimedOut')",
		},
		{"running", Filter{Running: true}, "WorkflowType = 'Delivery' AND ExecutionStatus IN ('Running', 'Paused')"},
		{"pending", Filter{Status: Pending}, "WorkflowType = 'Delivery' AND ExecutionStatus IN ('Running', 'Paused') AND (WebhookState IS NULL OR WebhookState = 'unknown')"},
		{"retrying", Filter{Status: Retrying}, "WorkflowType = 'Delivery' AND ExecutionStatus IN ('Running', 'Paused') AND WebhookState = 'retrying'"},
		{
			"held", Filter{Status: Held},
			"WorkflowType = 'Delivery' AND ExecutionStatus IN ('Running', 'Paused') AND (WebhookState = 'held' OR ExecutionStatus = 'Paused' OR TemporalPauseInfo IS NOT NULL)",
		},
		{
			"text stays text",
			Filter{Space: `x' OR 'a' = 'a\`},
			`WorkflowType = 'Delivery' AND GitBookSpace = 'x\' OR \'a\' = \'a\\'`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, tt.give.query())
		})
	}
}

func TestCursor(t *testing.T) {
	t.Parallel()
	c := position(execution(noon.Add(123456*time.Microsecond), "run-2"))
	parsed, err := parseCursor(c.String())
	require.NoError(t, err)
	require.Equal(t, c, parsed)

	require.True(t, c.before(execution(noon, "run-9")), "an earlier start follows")
	require.True(t, c.before(execution(c.Start, "run-1")), "of one start, the smaller run id follows")
	require.False(t, c.before(execution(c.Start, "run-2")), "itself does not follow")
	require.False(t, c.before(execution(c.Start, "run-3")))
	require.False(t, c.before(execution(noon.Add(time.Second), "run-1")), "a later start came before")
	require.True(t, cursor{Start: noon, RunID: aboveAllRuns}.before(execution(noon, "ffffffff")))
}

func TestParseCursorRefusesOthers(t *testing.T) {
	t.Parallel()
	for _, give := range []string{"x", "!", "e30", "bnVsbA", "eyJ0Ijoic29vbiJ9"} {
		_, err := parseCursor(give)
		require.ErrorIs(t, err, ErrCursor, give)
	}
}

func FuzzParseCursor(f *testing.F) {
	f.Add(cursor{Start: noon, RunID: "run"}.String())
	f.Add("e30")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := parseCursor(s)
		if err != nil {
			return
		}
		again, err := parseCursor(c.String())
		require.NoError(t, err)
		require.True(t, c.Start.Equal(again.Start))
		require.Equal(t, c.RunID, again.RunID)
	})
}
