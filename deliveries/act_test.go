package deliveries

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// service is the part of Temporal's own API that is used beside the client. It notes the calls that
// change something.
type service struct {
	workflowservice.WorkflowServiceClient
	calls []string
	err   error
	// tail are the pages of a history, the newest first.
	tail [][]*historypb.HistoryEvent
	// head are the first events of a history.
	head []*historypb.HistoryEvent
}

func (s *service) ResetActivity(ctx context.Context, r *workflowservice.ResetActivityRequest, _ ...grpc.CallOption) (*workflowservice.ResetActivityResponse, error) {
	if r.GetResetHeartbeat() || r.GetKeepPaused() {
		s.calls = append(s.calls, "loses the log")
	}
	s.calls = append(s.calls, "reset "+r.GetId())
	return nil, errors.Join(s.err, ctx.Err())
}

func (s *service) UnpauseActivity(ctx context.Context, r *workflowservice.UnpauseActivityRequest, _ ...grpc.CallOption) (*workflowservice.UnpauseActivityResponse, error) {
	s.calls = append(s.calls, "unpause activity "+r.GetId())
	return nil, errors.Join(s.err, ctx.Err())
}

func (s *service) UnpauseWorkflowExecution(ctx context.Context, r *workflowservice.UnpauseWorkflowExecutionRequest, _ ...grpc.CallOption) (*workflowservice.UnpauseWorkflowExecutionResponse, error) {
	s.calls = append(s.calls, "unpause "+r.GetWorkflowId())
	return nil, errors.Join(s.err, ctx.Err())
}

func (s *service) GetWorkflowExecutionHistoryReverse(_ context.Context, r *workflowservice.GetWorkflowExecutionHistoryReverseRequest, _ ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryReverseResponse, error) {
	page := 0
	if token := r.GetNextPageToken(); len(token) > 0 {
		page = int(token[0])
	}
	response := &workflowservice.GetWorkflowExecutionHistoryReverseResponse{History: &historypb.History{Events: s.tail[page]}}
	if page+1 < len(s.tail) {
		response.NextPageToken = []byte{byte(page + 1)}
	}
	return response, s.err
}

func (s *service) GetWorkflowExecutionHistory(_ context.Context, r *workflowservice.GetWorkflowExecutionHistoryRequest, _ ...grpc.CallOption) (*workflowservice.GetWorkflowExecutionHistoryResponse, error) {
	return &workflowservice.GetWorkflowExecutionHistoryResponse{History: &historypb.History{Events: s.head[:min(len(s.head), int(r.GetMaximumPageSize()))]}}, s.err
}

// signalled notes the signals to deliveries as calls.
func (s *service) signals(temporal *mocks.Client, err error) {
	temporal.On("SignalWorkflow", mock.Anything, mock.Anything, mock.Anything, workflows.ReleaseSignal, nil).Run(func(args mock.Arguments) {
		s.calls = append(s.calls, "release "+args.String(1))
	}).Return(err).Maybe()
}

// newActing makes a store with one delivery, evt_1 to search.
func newActing(t *testing.T, d *description) (*Store, *mocks.Client, *service) {
	t.Helper()
	temporal, s := mocks.NewClient(t), &service{}
	temporal.On("WorkflowService").Return(s).Maybe()
	temporal.On("DescribeWorkflowExecution", mock.Anything, "evt_1@search", "").Return(d, nil).Maybe()
	s.signals(temporal, nil)
	temporal.On("CancelWorkflow", mock.Anything, "evt_1@search", "run-1").Run(func(mock.Arguments) {
		s.calls = append(s.calls, "cancel")
	}).Return(nil).Maybe()
	return newStore(t, temporal, parseConfig(t, twoDestinations), at0), temporal, s
}

const (
	scheduled      = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED
	begun          = enumspb.PENDING_ACTIVITY_STATE_STARTED
	pausedSend     = enumspb.PENDING_ACTIVITY_STATE_PAUSED
	pauseRequested = enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
	completed      = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
)

// backing is a SendWebhook that waits for its next attempt.
func backing(t *testing.T, log ...activities.Attempt) *workflowpb.PendingActivityInfo {
	t.Helper()
	pending := send(t, scheduled, log...)
	pending.NextAttemptScheduleTime = timestamppb.New(noon.Add(time.Minute))
	return pending
}

func TestActs(t *testing.T) {
	t.Parallel()
	const (
		isHeld       = "the delivery is held, because its destination is; resume the destination"
		doesNotWait  = "the delivery does not wait for another attempt: one is under way, or about to begin"
		stillRunning = "the delivery is still running; retry it, or cancel it first"
		isPaused     = "the delivery is paused in Temporal; retry it to have it go on, or cancel it first"
	)
	retry := func(s *Store) error { return s.Retry(canceled(t), "search", "evt_1") }
	cancel := func(s *Store) error { return s.Cancel(canceled(t), "search", "evt_1") }
	redeliver := func(s *Store) error {
		_, err := s.Redeliver(canceled(t), "search", "evt_1")
		return err
	}
	tests := []struct {
		name    string
		give    *description
		act     func(*Store) error
		want    []string
		wantErr string
	}{
		{"retry while it waits", describe(t, running, workflows.StateRetrying, backing(t, failed)), retry, []string{"reset 5"}, ""},
		{"retry while its destination is unknown", describe(t, running, workflows.StateUnknown), retry, []string{"release evt_1@search"}, ""},
		{"retry while held", describe(t, running, workflows.StateHeld), retry, nil, isHeld},
		{"retry during a request", describe(t, running, "", send(t, begun)), retry, nil, doesNotWait},
		{"retry before the first request", describe(t, running, "", send(t, scheduled)), retry, nil, doesNotWait},
		{"retry after its end", describe(t, completed, ""), retry, nil, "the delivery is over; redeliver it to send it again"},
		{"retry of a paused activity", describe(t, running, "", send(t, pausedSend, failed)), retry, []string{"reset 5"}, ""},
		{"retry of an activity that is to pause after its request", describe(t, running, "", send(t, pauseRequested)), retry, []string{"unpause activity 5"}, ""},
		{"retry of a paused workflow", describe(t, pausedRun, ""), retry, []string{"unpause evt_1@search"}, ""},
		{"retry when both are paused", describe(t, pausedRun, "", send(t, pausedSend)), retry, []string{"unpause evt_1@search", "reset 5"}, ""},

		{"cancel while held", describe(t, running, workflows.StateHeld), cancel, []string{"cancel"}, ""},
		{"cancel a paused workflow", describe(t, pausedRun, ""), cancel, []string{"cancel", "unpause evt_1@search"}, ""},
		{"cancel after its end", describe(t, completed, ""), cancel, nil, "the delivery is over"},

		{"redeliver while it runs", describe(t, running, "", backing(t, failed)), redeliver, nil, stillRunning},
		{"redeliver while held", describe(t, running, workflows.StateHeld), redeliver, nil, isHeld + ", or cancel the delivery first"},
		{"redeliver while paused", describe(t, pausedRun, ""), redeliver, nil, isPaused},
		{"redeliver while its activity is paused", describe(t, running, "", send(t, pausedSend)), redeliver, nil, isPaused},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _, service := newActing(t, tt.give)
			err := tt.act(s)
			require.Equal(t, tt.want, service.calls)
			if tt.wantErr == "" {
				require.NoError(t, err, "also when the client has hung up")
				return
			}
			require.Equal(t, &StateError{tt.wantErr}, err)
		})
	}
}

func TestActsOnADeliveryThatHasJustGoneOn(t *testing.T) {
	t.Parallel()
	for _, gone := range []error{serviceerror.NewNotFound("no activity"), serviceerror.NewFailedPrecondition("not paused")} {
		s, _, service := newActing(t, describe(t, running, "", backing(t, failed)))
		service.err = gone
		require.Equal(t, &StateError{"the delivery has just gone on; look at it again"}, s.Retry(t.Context(), "search", "evt_1"))
	}
}

// Temporal is not asked about ids that no delivery has.
func TestImpossibleIDsAreUnknown(t *testing.T) {
	t.Parallel()
	s := newStore(t, mocks.NewClient(t), parseConfig(t, twoDestinations), at0)
	for _, give := range []Key{{"search", "\x00"}, {"search", "\xff"}, {"search", "ü"}, {"search", ""}, {"\x00", "evt_1"}, {"ü", "evt_1"}, {"", "evt_1"}, {"a@b", "evt_1"}} {
		_, err := s.Get(t.Context(), give.Destination, give.EventID)
		require.ErrorIs(t, err, ErrUnknown, give)
		_, err = s.Redeliver(t.Context(), give.Destination, give.EventID)
		require.ErrorIs(t, err, ErrUnknown, give)
		require.ErrorIs(t, s.Retry(t.Context(), give.Destination, give.EventID), ErrUnknown, give)
		require.ErrorIs(t, s.Cancel(t.Context(), give.Destination, give.EventID), ErrUnknown, give)
	}
	for _, give := range []string{"\x00", "ü", ""} {
		_, err := s.Job(t.Context(), give)
		require.ErrorIs(t, err, ErrJobUnknown, give)
		_, err = s.SendSamples(t.Context(), give)
		require.ErrorIs(t, err, ErrDestinationUnknown, give)
		_, err = NewHolds(s).Pause(t.Context(), give)
		require.ErrorIs(t, err, ErrDestinationUnknown, give)
		_, err = NewHolds(s).Resume(t.Context(), give)
		require.ErrorIs(t, err, ErrDestinationUnknown, give)
	}
	for field, give := range map[string]Filter{"destination": {Destination: "ü"}, "type": {Type: "\x00"}, "space": {Space: "\xff"}, "site": {Site: "ü"}, "installation": {Installation: "\n"}} {
		_, err := s.List(t.Context(), give, 1, "")
		require.Equal(t, &FilterError{field}, err)
	}
}

func TestUnknownDeliveries(t *testing.T) {
	t.Parallel()
	temporal := mocks.NewClient(t)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "evt_2@search", "").Return(nil, serviceerror.NewNotFound("none"))
	other := describe(t, running, "")
	other.WorkflowExecutionInfo.Type.Name = "Another"
	temporal.On("DescribeWorkflowExecution", mock.Anything, "evt_3@search", "").Return(other, nil)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "evt_4@search", "").Return(nil, serviceerror.NewUnavailable("down"))
	s := newStore(t, temporal, parseConfig(t, twoDestinations), at0)
	require.ErrorIs(t, s.Retry(t.Context(), "search", "evt_2"), ErrUnknown)
	require.ErrorIs(t, s.Retry(t.Context(), "search", "evt_3"), ErrUnknown, "a workflow of another type")
	require.ErrorIs(t, s.Retry(t.Context(), "search", "evt_4"), ErrUnavailable)
}

// events is a history that a client reads.
func events(t *testing.T, all ...*historypb.HistoryEvent) client.HistoryEventIterator {
	t.Helper()
	iterator := mocks.NewHistoryEventIterator(t)
	next := 0
	iterator.On("HasNext").Return(func() bool { return next < len(all) }).Maybe()
	iterator.On("Next").Return(func() *historypb.HistoryEvent {
		next++
		return all[next-1]
	}, nil).Maybe()
	return iterator
}

// startedEvent is the first event of a delivery of 0.2.
func startedEvent(t *testing.T) *historypb.HistoryEvent {
	t.Helper()
	input := workflows.DeliveryInput{Reason: "event", EventType: "site_view", URL: "https://old.example.com/", Express: true, AcceptedAt: noon, Continued: &workflows.Continuation{}}
	input.Destination, input.EventID, input.TimeoutMs = "search", "evt_1", 7000
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			Input: payloads(t, input, activities.EventPayload([]byte(`{ "eventId":"evt_1" }`))),
		},
	}}
}

// redelivering makes a store whose delivery is over, and which can be redelivered. request is what
// the new run's memo says.
func redelivering(t *testing.T, request func(own string) string) (*Store, *client.StartWorkflowOptions, *workflows.DeliveryInput, *string) {
	t.Helper()
	over := describe(t, completed, "")
	over.WorkflowExecutionInfo.CloseTime = timestamppb.New(noon.Add(-time.Minute))
	s, temporal, _ := newActing(t, over)
	temporal.On("GetWorkflowHistory", mock.Anything, "evt_1@search", "run-1", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Return(events(t, startedEvent(t)))
	var (
		options client.StartWorkflowOptions
		input   workflows.DeliveryInput
		id      string
	)
	run := mocks.NewWorkflowRun(t)
	run.On("GetRunID").Return("run-2")
	next := describe(t, running, "")
	temporal.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		id, _ = args.Get(0).(context.Context).Value(requestIDKey{}).(string)
		options, input = args.Get(1).(client.StartWorkflowOptions), args.Get(3).(workflows.DeliveryInput)
		require.Equal(t, `{ "eventId":"evt_1" }`, string(args.Get(4).(converter.RawValue).Payload().GetData()))
		next.WorkflowExecutionInfo.Memo.Fields[memoRequest] = payload(t, request(options.Memo[memoRequest].(string)))
	}).Return(run, nil)
	temporal.On("DescribeWorkflowExecution", mock.Anything, "evt_1@search", "run-2").Return(next, nil)
	return s, &options, &input, &id
}

func TestRedeliver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, options, input, id := redelivering(t, func(own string) string { return own })
		runID, err := s.Redeliver(canceled(t), "search", "evt_1")
		require.NoError(t, err)
		require.Equal(t, "run-2", runID)
		require.Equal(t, "redelivery-after-run-1", *id, "the same for every call that follows the same run")
		require.Equal(t, "run-1", options.Memo["previousRunId"])
		require.False(t, options.EnableEagerStart, "the first task would be handed to every caller")
		require.Equal(t, "redelivery", input.Reason)
		require.Equal(t, "https://example.com/hook", input.URL, "as the configuration has it today")
		require.Equal(t, int64(3000), input.TimeoutMs)
		require.False(t, input.Express)
		require.Nil(t, input.Continued)
	})
}

func TestRedeliverLosesToAnotherCall(t *testing.T) {
	t.Parallel()
	s, _, _, _ := redelivering(t, func(string) string { return "another" })
	_, err := s.Redeliver(t.Context(), "search", "evt_1")
	require.Equal(t, errSentAgain, err)
}

func TestRedeliverARunThatIsOverSinceTheCall(t *testing.T) {
	t.Parallel()
	over := describe(t, completed, "")
	over.WorkflowExecutionInfo.CloseTime = timestamppb.New(noon.Add(time.Millisecond))
	s, _, _ := newActing(t, over)
	_, err := s.Redeliver(t.Context(), "search", "evt_1")
	require.Equal(t, errSentAgain, err)
}

// While one call is being answered, others lose.
func TestRedeliverAtTheSameTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, _, _ := redelivering(t, func(own string) string { return own })
		won := make(chan error)
		go func() {
			_, err := s.Redeliver(t.Context(), "search", "evt_1")
			won <- err
		}()
		synctest.Wait()
		_, err := s.Redeliver(t.Context(), "search", "evt_1")
		require.Equal(t, errSentAgain, err)
		require.NoError(t, <-won)
	})
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	sent := ""
	invoke := func(_ context.Context, _ string, request, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
		sent = request.(*workflowservice.StartWorkflowExecutionRequest).GetRequestId()
		return nil
	}
	start := func(ctx context.Context) string {
		request := &workflowservice.StartWorkflowExecutionRequest{RequestId: "the SDK's"}
		require.NoError(t, setRequestID(ctx, "", request, nil, nil, invoke))
		return sent
	}
	require.Equal(t, "ours", start(withRequestID(t.Context(), "ours")))
	require.Equal(t, "the SDK's", start(t.Context()))
}
