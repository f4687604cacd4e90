package deliveries

import (
	"testing"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/workflows"
)

// run is one of several runs of evt_1 to search.
func run(t *testing.T, id, previous string, minutes int, status enumspb.WorkflowExecutionStatus) *description {
	t.Helper()
	d := describe(t, status, "")
	info := d.GetWorkflowExecutionInfo()
	info.Execution.RunId, info.FirstRunId = id, id
	info.StartTime = timestamppb.New(noon.Add(minute(minutes)))
	if status != running {
		info.CloseTime = timestamppb.New(noon.Add(minute(minutes + 1)))
	}
	if previous != "" {
		info.Memo.Fields[workflows.MemoPrevious] = payload(t, previous)
	}
	return d
}

// closing is the event that ends a run as undelivered.
func closing(t *testing.T, result workflows.DeliveryResult, cause *failurepb.Failure) *historypb.HistoryEvent {
	t.Helper()
	return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionFailedEventAttributes{
		WorkflowExecutionFailedEventAttributes: &historypb.WorkflowExecutionFailedEventAttributes{Failure: &failurepb.Failure{
			FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Details: payloads(t, result)}},
			Cause:       cause,
		}},
	}}
}

func application(kind, message string) *failurepb.Failure {
	return &failurepb.Failure{Message: message, FailureInfo: &failurepb.Failure_ApplicationFailureInfo{ApplicationFailureInfo: &failurepb.ApplicationFailureInfo{Type: kind}}}
}

// newReading makes a store with runs of one delivery, of which the last is the latest, and which
// visibility has without the hidden ones.
func newReading(t *testing.T, hidden string, runs ...*description) (*Store, *mocks.Client) {
	t.Helper()
	s, temporal, _ := newActing(t, runs[len(runs)-1])
	response := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, d := range runs {
		id := d.GetWorkflowExecutionInfo().GetExecution().GetRunId()
		temporal.On("DescribeWorkflowExecution", mock.Anything, "evt_1@search", id).Return(d, nil).Maybe()
		result := workflows.DeliveryResult{Attempts: []activities.Attempt{failed}}
		temporal.On("GetWorkflowHistory", mock.Anything, "evt_1@search", id, false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT).
			Return(events(t, closing(t, result, application("Unavailable", "500 Internal Server Error")))).Maybe()
		if id != hidden {
			response.Executions = append(response.Executions, d.GetWorkflowExecutionInfo())
		}
	}
	temporal.On("ListWorkflow", mock.Anything, mock.MatchedBy(func(r *workflowservice.ListWorkflowExecutionsRequest) bool {
		return r.GetQuery() == "WorkflowType = 'Delivery' AND WorkflowId = 'evt_1@search'"
	})).Return(response, nil).Maybe()
	temporal.On("DescribeWorkflowExecution", mock.Anything, "evt_1@search", "run-0").Return(nil, serviceerror.NewNotFound("retention")).Maybe()
	return s, temporal
}

func runIDs(d Delivery) []string {
	ids := make([]string, len(d.Runs))
	for i, run := range d.Runs {
		ids[i] = run.RunID
	}
	return ids
}

// No run is missing, whether the chain or visibility has a gap.
func TestGetFindsAllRuns(t *testing.T) {
	t.Parallel()
	const failedRun = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	first, second := run(t, "run-1", "run-0", 0, failedRun), run(t, "run-2", "run-1", 10, failedRun)
	third := run(t, "run-3", "run-2", 20, running)
	forked := run(t, "run-3", "run-1", 20, running)
	third.PendingActivities = append(third.PendingActivities, send(t, scheduled))
	forked.PendingActivities = third.PendingActivities
	tests := []struct {
		name   string
		hidden string
		give   []*description
	}{
		{"visibility has all", "", []*description{first, second, third}},
		{"visibility lags behind", "run-3", []*description{first, second, third}},
		{"visibility has lost one", "run-2", []*description{first, second, third}},
		{"two runs follow the same one", "", []*description{first, second, forked}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, _ := newReading(t, tt.hidden, tt.give...)
			d, err := s.Get(t.Context(), "search", "evt_1")
			require.NoError(t, err)
			require.Equal(t, []string{"run-1", "run-2", "run-3"}, runIDs(d))
			require.Equal(t, Pending, d.Status, "of the latest run")
			require.Equal(t, 2, d.AttemptCount)
			require.Equal(t, "site_view", d.Type)
			require.Equal(t, "https://example.com/hook", d.URL)
			require.Equal(t, noon, d.AcceptedAt)
		})
	}
}

// A run that continued as new is one run, since its first start.
func TestGetShowsAContinuedRunOnce(t *testing.T) {
	t.Parallel()
	begun := run(t, "run-1", "", 0, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)
	continued := run(t, "run-2", "", 10, running)
	continued.WorkflowExecutionInfo.FirstRunId = "run-1"
	continued.PendingActivities = append(continued.PendingActivities, send(t, scheduled, failed))
	s, _ := newReading(t, "", begun, continued)
	d, err := s.Get(t.Context(), "search", "evt_1")
	require.NoError(t, err)
	require.Equal(t, []string{"run-2"}, runIDs(d))
	require.Equal(t, noon, d.Runs[0].StartedAt)
	require.Equal(t, 1, d.AttemptCount)
}

// The workflow id of a long event id has a hash of it.
func TestSummarizeALongID(t *testing.T) {
	t.Parallel()
	d := describe(t, running, "")
	d.WorkflowExecutionInfo.Memo.Fields[workflows.MemoEventID] = payload(t, "the whole id")
	require.Equal(t, "the whole id", plain.summarize(d.GetWorkflowExecutionInfo()).EventID)
}

func TestFailureOfAClosedRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give *historypb.HistoryEvent
		want string
	}{
		{"its last attempt", closing(t, workflows.DeliveryResult{Attempts: []activities.Attempt{failed}}, application("Unavailable", "x")), "Unavailable: 500 Internal Server Error"},
		{"what the workflow says", closing(t, workflows.DeliveryResult{Attempts: []activities.Attempt{failed}, Failure: "DestinationUnknown: no"}, nil), "DestinationUnknown: no"},
		{"its cause, where nothing else says so", closing(t, workflows.DeliveryResult{}, application("DestinationUnknown", "gone")), "DestinationUnknown: gone"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, failure, err := plain.runOf(describe(t, enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, ""), []*historypb.HistoryEvent{tt.give})
			require.NoError(t, err)
			require.Equal(t, tt.want, failure)
		})
	}
}

// The history of a run that waits is read from its end, no further than needed.
func TestEndOfAWaitingRun(t *testing.T) {
	t.Parallel()
	given := &historypb.HistoryEvent{EventId: 7, Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
		ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			Input: payloads(t, activities.SendWebhookInput{Log: activities.AttemptLog{Attempts: []activities.Attempt{failed}}}),
		},
	}}
	d := describe(t, running, workflows.StateHeld)
	d.WorkflowExecutionInfo.HistoryLength = 9
	s, temporal, service := newActing(t, d)
	service.tail = [][]*historypb.HistoryEvent{{{EventId: 9}, {EventId: 8}}, {given, {EventId: 6}}, {{EventId: 1}}}
	events, err := s.end(t.Context(), d.GetWorkflowExecutionInfo())
	require.NoError(t, err)
	var ids []int64
	for _, event := range events {
		ids = append(ids, event.GetEventId())
	}
	require.Equal(t, []int64{6, 7, 8, 9}, ids)

	temporal.On("ListWorkflow", mock.Anything, mock.Anything).Return(&workflowservice.ListWorkflowExecutionsResponse{}, nil)
	delivery, err := s.Get(t.Context(), "search", "evt_1")
	require.NoError(t, err)
	require.Equal(t, Held, delivery.Status)
	require.Equal(t, "Unavailable: 500 Internal Server Error", delivery.Failure)

	service.err = serviceerror.NewUnavailable("down")
	_, err = s.Get(t.Context(), "search", "evt_1")
	require.ErrorIs(t, err, ErrUnavailable)
}

// A delivery whose key is gone is not shown as one without attempts.
func TestKeyMissing(t *testing.T) {
	t.Parallel()
	keys, err := seal.NewKeyring()
	require.NoError(t, err)
	encrypted := &commonpb.Payloads{Payloads: []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte(codec.Encoding)}, Data: sealedByAnother(t)}}}
	pending := send(t, begun)
	pending.HeartbeatDetails = encrypted
	_, _, err = reader{codec.New(keys, false).DataConverter()}.runOf(describe(t, running, "", pending), nil)
	require.ErrorIs(t, err, ErrKeyMissing)
}

func sealedByAnother(t *testing.T) []byte {
	t.Helper()
	keys, err := seal.NewKeyring(make([]byte, 32))
	require.NoError(t, err)
	sealed, err := codec.New(keys, true).Encode([]*commonpb.Payload{payload(t, "x")})
	require.NoError(t, err)
	return sealed[0].GetData()
}

func TestEventOfARun(t *testing.T) {
	t.Parallel()
	s, _, service := newActing(t, describe(t, running, ""))
	service.head = []*historypb.HistoryEvent{startedEvent(t), {}, {}}
	event, err := s.Event(t.Context(), "evt_1@search", "run-1")
	require.NoError(t, err)
	require.Equal(t, `{ "eventId":"evt_1" }`, string(event))

	service.head = nil
	_, err = s.Event(t.Context(), "evt_1@search", "run-1")
	require.ErrorIs(t, err, ErrUnknown)
	service.err = serviceerror.NewNotFound("retention")
	_, err = s.Event(t.Context(), "evt_1@search", "run-1")
	require.ErrorIs(t, err, ErrUnknown)
}

func TestFirstTask(t *testing.T) {
	t.Parallel()
	task := &historypb.HistoryEvent{EventTime: timestamppb.New(noon), Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
		WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{Identity: "worker-1"},
	}}
	s, temporal, _ := newActing(t, describe(t, running, ""))
	temporal.On("GetWorkflowHistory", mock.Anything, "a", "1", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Return(events(t, startedEvent(t), &historypb.HistoryEvent{}, task))
	temporal.On("GetWorkflowHistory", mock.Anything, "b", "1", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Return(events(t, startedEvent(t)))
	begun, worker, err := s.FirstTask(t.Context(), "a", "1")
	require.NoError(t, err)
	require.Equal(t, noon, begun)
	require.Equal(t, "worker-1", worker)
	_, _, err = s.FirstTask(t.Context(), "b", "1")
	require.ErrorIs(t, err, ErrUnknown)
}
