package deliveries

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/workflows"
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
			"held",
			Filter{Status: Held},
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

// listed makes a store with n deliveries to search, of which the first is the oldest, in states
// that repeat.
func listed(t *testing.T, n int) (*Store, *visibility) {
	t.Helper()
	var all []*description
	for i := range n {
		id := fmt.Sprintf("evt_%03d", i)
		switch i % 4 {
		case 0:
			all = append(all, to(t, id, "search", i, running, workflows.StateHeld))
		case 1:
			d := to(t, id, "search", i, running, workflows.StateRetrying)
			d.PendingActivities = append(d.PendingActivities, backing(t, failed))
			all = append(all, d)
		case 2:
			d := to(t, id, "search", i, running, "")
			d.PendingActivities = append(d.PendingActivities, send(t, scheduled))
			all = append(all, d)
		case 3:
			all = append(all, to(t, id, "search", i, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, ""))
		}
	}
	temporal, v := newVisibility(t, all...)
	temporal.On("GetWorkflowHistory", mock.Anything, mock.Anything, mock.Anything, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT).Return(events(t)).Maybe()
	return newStore(t, temporal, parseConfig(t, twoDestinations), func() time.Time { return noon.Add(minute(n)) }), v
}

func TestListByStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		give Status
		want int
	}{{Held, 5}, {Retrying, 5}, {Pending, 5}, {Cancelled, 5}, {Delivered, 0}, {"", 20}} {
		t.Run(string(tt.give), func(t *testing.T) {
			t.Parallel()
			s, _ := listed(t, 20)
			page, err := s.List(t.Context(), Filter{Destination: "search", Status: tt.give}, 200, "")
			require.NoError(t, err)
			require.Len(t, page.Deliveries, tt.want)
			require.Empty(t, page.NextCursor)
			for _, d := range page.Deliveries {
				if tt.give != "" {
					require.Equal(t, tt.give, d.Status)
				}
			}
		})
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	s, _ := listed(t, 20)
	var ids []string
	cursor, pages := "", 0
	for {
		page, err := s.List(t.Context(), Filter{}, 3, cursor)
		require.NoError(t, err)
		for _, d := range page.Deliveries {
			ids = append(ids, d.EventID)
		}
		pages++
		if cursor = page.NextCursor; cursor == "" {
			break
		}
	}
	require.Equal(t, 7, pages)
	require.Len(t, ids, 20)
	require.True(t, slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }), "the newest first, each once")

	_, err := s.List(t.Context(), Filter{}, 3, "nonsense")
	require.ErrorIs(t, err, ErrCursor)
}

// With many, a page reads those that it shows, and asks for stretches of time that hold few.
func TestListOfManyIsShort(t *testing.T) {
	t.Parallel()
	s, v := listed(t, 2400)
	page, err := s.List(t.Context(), Filter{Status: Held}, 50, "")
	require.NoError(t, err)
	require.Len(t, page.Deliveries, 50)
	require.Equal(t, "evt_2396", page.Deliveries[0].EventID)
	require.Less(t, len(v.queries), 20)
	s.client.(*mocks.Client).AssertNumberOfCalls(t, "DescribeWorkflowExecution", 50)
}

func TestListWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	s, v := listed(t, 3)
	v.err = serviceerror.NewUnavailable("down")
	_, err := s.List(t.Context(), Filter{}, 3, "")
	require.ErrorIs(t, err, ErrUnavailable)
}

// A run that was sent again is not shown beside the newer one.
func TestListShowsTheLatestRun(t *testing.T) {
	t.Parallel()
	old, latest := run(t, "run-1", "", 0, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED), run(t, "run-2", "run-1", 5, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED)
	temporal, _ := newVisibility(t, latest, old)
	temporal.On("GetWorkflowHistory", mock.Anything, mock.Anything, mock.Anything, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT).Return(events(t))
	s := newStore(t, temporal, parseConfig(t, twoDestinations), func() time.Time { return noon.Add(time.Hour) })
	page, err := s.List(t.Context(), Filter{Until: noon.Add(time.Hour)}, 10, "")
	require.NoError(t, err)
	require.Len(t, page.Deliveries, 1)
	require.Equal(t, []string{"run-2"}, runIDs(page.Deliveries[0]))
}
