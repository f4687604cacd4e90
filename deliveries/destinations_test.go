package deliveries

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

func TestAllDestinations(t *testing.T) {
	t.Parallel()
	failedRun := to(t, "evt_5", "search", -5, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, "")
	temporal, _ := newVisibility(t,
		to(t, "evt_1", "search", -1, running, workflows.StateHeld),
		to(t, "evt_2", "search", -2, pausedRun, ""),
		to(t, "evt_3", "search", -3, completed, ""),
		to(t, "evt_4", "search", -300, completed, ""), // too long ago
		failedRun,
		to(t, "evt_6", "gone", -1, running, workflows.StateUnknown),
		to(t, "evt_7", "paused-and-gone", -1, running, workflows.StateHeld),
		to(t, "evt_8", "over-and-gone", -1, completed, ""),
		holdOf(t, "search", running, workflows.HoldStateHeld, workflows.HoldFailing),
		holdOf(t, "paused-and-gone", pausedRun, workflows.HoldStateReleasing, workflows.HoldPaused),
		holdOf(t, "only-a-hold", running, workflows.HoldStateReleasing, workflows.HoldFailing),
		holdOf(t, "alerts", completed, workflows.HoldStateHeld, workflows.HoldPaused),
	)
	temporal.On("GetWorkflowHistory", mock.Anything, mock.Anything, mock.Anything, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT).
		Return(events(t, closing(t, workflows.DeliveryResult{Attempts: []activities.Attempt{failed}}, nil)))
	all, err := NewHolds(newStore(t, temporal, parseConfig(t, twoDestinations), at0)).All(t.Context())
	require.NoError(t, err)
	since, closed := noon, failedRun.GetWorkflowExecutionInfo().GetCloseTime().AsTime()
	const advice = "it is not in the configuration: its deliveries wait until it is, or until they are cancelled"
	documented := []string{"site_view", "page_feedback", "space_content_updated"}
	for i, age := range []time.Duration{2 * time.Minute, 0, time.Minute, 0, time.Minute} {
		require.InDelta(t, age.Milliseconds(), all[i].OldestMs, 0.1*float64(age.Milliseconds()))
		all[i].OldestMs = 0
	}
	require.Equal(t, []Destination{
		{
			Name: "search", URL: "https://example.com/hook", Events: documented, State: "failing", HeldSince: &since,
			Schedule:  &Schedule{TimeoutMs: 3000, RetriesMs: []int64{5000, 86_400_000}, RetryAfterMaxMs: 120_000},
			Delivered: 1, Undelivered: 1, Waiting: 2, LastError: "Unavailable: 500 Internal Server Error", LastErrorAt: &closed,
		},
		{
			Name: "alerts", URL: "https://example.com/alerts", Events: documented, State: "active",
			Schedule: &Schedule{TimeoutMs: 10_000, RetriesMs: []int64{1000, 2000, 4000}, RetryAfterMaxMs: 60_000, RateLimit: 5},
		},
		{Name: "gone", Events: []string{}, State: "unknown", Waiting: 1, Advice: advice},
		{Name: "only-a-hold", Events: []string{}, State: "releasing", HeldSince: &since, Advice: advice},
		{Name: "paused-and-gone", Events: []string{}, State: "paused", HeldSince: &since, Waiting: 1, Advice: advice},
	}, all)
}

func TestAllDestinationsWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	temporal, v := newVisibility(t)
	v.err = serviceerror.NewUnavailable("down")
	_, err := NewHolds(newStore(t, temporal, parseConfig(t, twoDestinations), at0)).All(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
}

// acting makes holds on a Temporal with workflows, and notes what is done to holds.
func acting(t *testing.T, all ...*description) (*Holds, *[]string) {
	t.Helper()
	temporal, _ := newVisibility(t, all...)
	var calls []string
	temporal.On("SignalWithStartWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		calls = append(calls, "pause "+args.String(1)+" "+args.Get(6).(workflows.HoldInput).Reason)
	}).Return(mocks.NewWorkflowRun(t), nil).Maybe()
	temporal.On("SignalWorkflow", mock.Anything, mock.Anything, "", workflows.SetHeldSignal, false).Run(func(args mock.Arguments) {
		calls = append(calls, "resume "+args.String(1))
	}).Return(nil).Maybe()
	temporal.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		options, input := args.Get(1).(client.StartWorkflowOptions), args.Get(3).(workflows.HoldInput)
		require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, options.WorkflowIDConflictPolicy)
		require.Equal(t, workflows.HoldStateReleasing, options.Memo[workflows.HoldStateMemo])
		calls = append(calls, "start "+options.ID+" "+input.Reason)
	}).Return(mocks.NewWorkflowRun(t), nil).Maybe()
	s := &service{}
	temporal.On("WorkflowService").Return(s).Maybe()
	h := NewHolds(newStore(t, temporal, parseConfig(t, twoDestinations), at0))
	return h, &calls
}

func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	held := to(t, "evt_1", "search", -1, running, workflows.StateHeld)
	goneHeld := to(t, "evt_2", "gone", -1, running, workflows.StateHeld)
	tests := []struct {
		name      string
		give      []*description
		act       func(*Holds, context.Context) (Destination, error)
		wantState string
		want      []string
		wantErr   error
	}{
		{"pause", nil, pauseOf("search"), "paused", []string{"pause hold.search paused"}, nil},
		{"pause an unknown name", nil, pauseOf("other"), "", nil, ErrDestinationUnknown},
		{"pause a name that only deliveries have", []*description{goneHeld}, pauseOf("gone"), "paused", []string{"pause hold.gone paused"}, nil},
		{"resume", []*description{holdOf(t, "search", running, workflows.HoldStateHeld, workflows.HoldPaused)}, resumeOf("search"), "releasing", []string{"resume hold.search"}, nil},
		{"resume without a hold, while deliveries are held", []*description{held}, resumeOf("search"), "releasing", []string{"start hold.search releasing"}, nil},
		{"resume after a hold that was terminated", []*description{held, holdOf(t, "search", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, "held", "paused")}, resumeOf("search"), "releasing", []string{"start hold.search releasing"}, nil},
		{"resume what is not held", nil, resumeOf("search"), "", nil, &StateError{"the destination is not held"}},
		{"resume an unknown name", nil, resumeOf("other"), "", nil, ErrDestinationUnknown},
		{"resume a name that is only held", []*description{holdOf(t, "gone", running, "held", "paused")}, resumeOf("gone"), "releasing", []string{"resume hold.gone"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h, calls := acting(t, tt.give...)
			shown, err := tt.act(h, canceled(t))
			require.Equal(t, tt.want, *calls)
			require.Equal(t, tt.wantErr, err)
			require.Equal(t, tt.wantState, shown.State)
		})
	}
}

func pauseOf(name string) func(*Holds, context.Context) (Destination, error) {
	return func(h *Holds, ctx context.Context) (Destination, error) { return h.Pause(ctx, name) }
}

func resumeOf(name string) func(*Holds, context.Context) (Destination, error) {
	return func(h *Holds, ctx context.Context) (Destination, error) { return h.Resume(ctx, name) }
}

// A hold that is paused in Temporal would not react to a signal.
func TestResumeOfAHoldThatIsPausedInTemporal(t *testing.T) {
	t.Parallel()
	h, calls := acting(t, holdOf(t, "search", pausedRun, "held", "paused"))
	_, err := h.Resume(t.Context(), "search")
	require.NoError(t, err)
	require.Equal(t, []string{"resume hold.search"}, *calls)
	require.Equal(t, []string{"unpause hold.search"}, h.store.client.WorkflowService().(*service).calls)
}

func TestHoldsOfEveryKind(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		give      *description
		wantHolds bool
		wantState string
	}{
		{"paused", holdOf(t, "search", running, "held", "paused"), true, "paused"},
		{"failing", holdOf(t, "search", running, "held", "failing"), true, "failing"},
		{"releasing", holdOf(t, "search", running, "releasing", "paused"), false, "releasing"},
		{"over", holdOf(t, "search", completed, "releasing", "paused"), false, ""},
		{"paused in Temporal", holdOf(t, "search", pausedRun, "held", "paused"), true, "paused"},
		{"paused in Temporal while releasing", holdOf(t, "search", pausedRun, "releasing", "failing"), true, "failing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := plain.readHold(tt.give.GetWorkflowExecutionInfo())
			require.Equal(t, tt.wantHolds, h.holds())
			require.Equal(t, tt.wantState, h.shown())
		})
	}
}

func TestSendSamples(t *testing.T) {
	t.Parallel()
	temporal := mocks.NewClient(t)
	var inputs []workflows.DeliveryInput
	temporal.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		inputs = append(inputs, args.Get(3).(workflows.DeliveryInput))
	}).Return(mocks.NewWorkflowRun(t), nil)
	sent, err := newStore(t, temporal, parseConfig(t, twoDestinations), at0).SendSamples(t.Context(), "search")
	require.NoError(t, err)
	require.Len(t, sent, 3)
	for i, input := range inputs {
		require.Equal(t, "test", input.Reason)
		require.Equal(t, Key{"search", input.EventID}, sent[i])
		require.Regexp(t, "^test_", input.EventID)
	}
}

func TestWorkersOfAnOlderRelease(t *testing.T) {
	t.Parallel()
	temporal, clock := mocks.NewClient(t), noon
	w := NewWorkers(temporal, newStore(t, temporal, parseConfig(t, twoDestinations), at0).log, func() time.Time { return clock })
	queue := func(pollers ...poller) {
		temporal.On("DescribeTaskQueue", mock.Anything, workflows.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW).Return(pollersOf(pollers), nil).Once()
	}
	old := &OldWorkerError{Worker: "1@old"}
	queue(poller{"1@new", workflows.BuildID, clock}, poller{"1@old", "0123456789abcdef", clock})
	require.Equal(t, old, w.Check(t.Context()))
	require.EqualError(t, old, "worker 1@old is of an older release: upgrade the workers first")
	require.Equal(t, old, w.Check(t.Context()), "as seen a moment ago")

	clock = clock.Add(workersTTL)
	temporal.On("DescribeTaskQueue", mock.Anything, mock.Anything, mock.Anything).Return(nil, serviceerror.NewUnavailable("down")).Once()
	require.Equal(t, old, w.Check(t.Context()), "the last answer stands")

	queue(poller{"1@new", workflows.BuildID, clock}, poller{"1@old", "0123456789abcdef", clock.Add(-workerGone)})
	require.NoError(t, w.Check(t.Context()), "Temporal lists stopped workers for a while")
	clock = clock.Add(workersTTL)
	queue()
	require.NoError(t, w.Check(t.Context()), "events wait for workers")
	clock = clock.Add(workersTTL)
	queue(poller{"1@newer", "courier.g1000", clock})
	require.NoError(t, w.Check(t.Context()))
}
