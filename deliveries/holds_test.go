package deliveries

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

func described(status enumspb.WorkflowExecutionStatus) *workflowservice.DescribeWorkflowExecutionResponse {
	return &workflowservice.DescribeWorkflowExecutionResponse{WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{Status: status}}
}

// newHolds makes holds of a destination that is held after ten minutes of failing, on a clock that
// the test moves.
func newHolds(t *testing.T) (*Holds, *mocks.Client, *time.Time) {
	t.Helper()
	temporal, clock := mocks.NewClient(t), noon
	failing := config.DefaultDestination()
	failing.Name, failing.HoldAfter = "search", 10*time.Minute
	patient := config.DefaultDestination()
	patient.Name = "patient"
	c := config.Config{Destinations: []config.Destination{failing, patient}}
	return NewHolds(newStore(t, temporal, c, func() time.Time { return clock })), temporal, &clock
}

func TestHeldAsksTemporalOnceInAWhile(t *testing.T) {
	t.Parallel()
	h, temporal, clock := newHolds(t)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(nil, serviceerror.NewNotFound("none")).Once()
	for range 3 {
		require.False(t, h.Held(t.Context(), "search"))
	}
	*clock = clock.Add(workflows.HoldCacheTTL)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(described(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING), nil).Once()
	require.True(t, h.Held(t.Context(), "search"))
	// While Temporal does not say, the last answer stands.
	*clock = clock.Add(workflows.HoldCacheTTL)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(nil, errors.New("out of reach")).Once()
	require.True(t, h.Held(t.Context(), "search"))
	*clock = clock.Add(workflows.HoldCacheTTL)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(described(enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED), nil).Once()
	require.False(t, h.Held(t.Context(), "search"))
}

// One process need not wait for what it has done itself.
func TestPauseTakesEffectAtOnceInTheSameProcess(t *testing.T) {
	t.Parallel()
	h, temporal, _ := newHolds(t)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(nil, serviceerror.NewNotFound("none")).Once()
	require.False(t, h.Held(t.Context(), "search"))

	temporal.On("SignalWithStartWorkflow", mock.Anything, "hold.search", workflows.SetHeldSignal, true, mock.Anything, mock.Anything,
		workflows.HoldInput{Destination: "search", Reason: workflows.HoldPaused}).Return(mocks.NewWorkflowRun(t), nil).Once()
	temporal.On("CountWorkflow", mock.Anything, mock.Anything).Return(&workflowservice.CountWorkflowExecutionsResponse{}, nil)
	temporal.On("ListWorkflow", mock.Anything, mock.Anything).Return(&workflowservice.ListWorkflowExecutionsResponse{}, nil)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(nil, serviceerror.NewNotFound("none")).Once()
	shown, err := h.Pause(t.Context(), "search")
	require.NoError(t, err)
	require.Equal(t, StatePaused, shown.State, "also before the hold says so")
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(described(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING), nil).Once()
	require.True(t, h.Held(t.Context(), "search"))
}

func TestFailingForLongHoldsTheDestination(t *testing.T) {
	t.Parallel()
	h, temporal, clock := newHolds(t)
	h.Report(t.Context(), "search", false)
	*clock = clock.Add(9 * time.Minute)
	h.Report(t.Context(), "search", true) // a success begins the count anew
	h.Report(t.Context(), "search", false)
	*clock = clock.Add(9 * time.Minute)
	h.Report(t.Context(), "search", false)
	temporal.AssertNotCalled(t, "SignalWithStartWorkflow")

	*clock = clock.Add(time.Minute)
	temporal.On("SignalWithStartWorkflow", mock.Anything, "hold.search", workflows.SetFailingSignal, nil, mock.Anything, mock.Anything,
		workflows.HoldInput{Destination: "search", Reason: workflows.HoldFailing}).Return(mocks.NewWorkflowRun(t), nil).Once()
	h.Report(t.Context(), "search", false)
	// Whether it is held is for the hold to say.
	temporal.On("DescribeWorkflowExecution", mock.Anything, "hold.search", "").Return(described(enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING), nil).Once()
	require.True(t, h.Held(t.Context(), "search"), "at once")
}

func TestFailingForLongHoldsNoOtherDestination(t *testing.T) {
	t.Parallel()
	h, temporal, clock := newHolds(t)
	for _, destination := range []string{"patient", "installation.inst_1"} {
		h.Report(t.Context(), destination, false)
		*clock = clock.Add(24 * time.Hour)
		h.Report(t.Context(), destination, false)
	}
	temporal.AssertNotCalled(t, "SignalWithStartWorkflow")
}
