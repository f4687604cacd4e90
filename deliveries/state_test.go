package deliveries

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// plain reads payloads that are not encrypted.
var plain = reader{converter.GetDefaultDataConverter()}

// payloads are values as Temporal keeps them.
func payloads(t *testing.T, values ...any) *commonpb.Payloads {
	t.Helper()
	p, err := converter.GetDefaultDataConverter().ToPayloads(values...)
	require.NoError(t, err)
	return p
}

// payload is one value as Temporal keeps it.
func payload(t *testing.T, value any) *commonpb.Payload {
	t.Helper()
	return payloads(t, value).GetPayloads()[0]
}

// describe is a run of evt_1 to search as Temporal describes it.
func describe(t *testing.T, status enumspb.WorkflowExecutionStatus, state string, pending ...*workflowpb.PendingActivityInfo) *description {
	t.Helper()
	attributes := map[string]*commonpb.Payload{workflows.Destination.GetName(): payload(t, "search"), workflows.EventType.GetName(): payload(t, "site_view")}
	if state != "" {
		attributes[workflows.State.GetName()] = payload(t, state)
	}
	memo := workflows.Memo(workflows.DeliveryInput{Reason: "event", URL: "https://example.com/hook", AcceptedAt: noon}, "")
	fields := make(map[string]*commonpb.Payload)
	for name, value := range memo {
		fields[name] = payload(t, value)
	}
	return &description{
		WorkflowExecutionInfo: &workflowpb.WorkflowExecutionInfo{
			Execution:        &commonpb.WorkflowExecution{WorkflowId: "evt_1@search", RunId: "run-1"},
			FirstRunId:       "run-1",
			Type:             &commonpb.WorkflowType{Name: workflows.DeliveryType},
			Status:           status,
			StartTime:        timestamppb.New(noon),
			HistoryLength:    3,
			SearchAttributes: &commonpb.SearchAttributes{IndexedFields: attributes},
			Memo:             &commonpb.Memo{Fields: fields},
		},
		PendingActivities: pending,
	}
}

const (
	running   = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	pausedRun = enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
)

// send is a pending SendWebhook. Temporal's attempt counter says nothing here.
func send(t *testing.T, state enumspb.PendingActivityState, log ...activities.Attempt) *workflowpb.PendingActivityInfo {
	t.Helper()
	pending := &workflowpb.PendingActivityInfo{ActivityId: "5", State: state, Attempt: 7}
	if log != nil {
		pending.HeartbeatDetails = payloads(t, log)
	}
	pending.Paused = state == enumspb.PENDING_ACTIVITY_STATE_PAUSED || state == enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED
	return pending
}

var (
	failed = activities.Attempt{Number: 1, StartedAt: noon, StatusCode: 500, Outcome: "Unavailable", Error: "500 Internal Server Error", WaitMs: 1000}
	under  = activities.Attempt{Number: 2, StartedAt: noon.Add(time.Second), Outcome: activities.OutcomeSending}
)

func TestRunOf(t *testing.T) {
	t.Parallel()
	next := noon.Add(time.Minute)
	withTask := func(d *description) *description {
		d.PendingWorkflowTask = &workflowpb.PendingWorkflowTaskInfo{}
		return d
	}
	withChild := func(d *description) *description {
		d.PendingChildren = []*workflowpb.PendingChildExecutionInfo{{}}
		return d
	}
	interrupted := activities.CompleteLog([]activities.Attempt{failed, under}, 2)
	const failure = "Unavailable: 500 Internal Server Error"
	tests := []struct {
		name         string
		give         *description
		want         Status
		wantFailure  string
		wantAttempts []activities.Attempt
		wantNext     bool
	}{
		{"just begun", withTask(describe(t, running, "")), Pending, "", nil, false},
		{"waits for a worker", describe(t, running, "", send(t, scheduled)), Pending, "", nil, false},
		{"waits for its turn, however often it asked", describe(t, running, "", backing(t)), Pending, "", nil, true},
		{"first request", describe(t, running, "", send(t, begun, activities.Attempt{Number: 1, Outcome: activities.OutcomeSending})), Pending, "", []activities.Attempt{{Number: 1, Outcome: activities.OutcomeSending}}, false},
		{"waits for its next attempt", describe(t, running, workflows.StateRetrying, backing(t, failed)), Retrying, failure, []activities.Attempt{failed}, true},
		{"failed, and the workflow does not know yet", describe(t, running, "", backing(t, failed)), Retrying, failure, []activities.Attempt{failed}, true},
		{"second request", describe(t, running, workflows.StateRetrying, send(t, begun, failed, under)), Retrying, failure, []activities.Attempt{failed, under}, false},
		{"its worker vanished", describe(t, running, workflows.StateRetrying, backing(t, failed, under)), Retrying, workflows.LastFailure(interrupted), interrupted, true},
		{"held", describe(t, running, workflows.StateHeld), Held, "", nil, false},
		{"held by 0.2", describe(t, running, ""), Held, "", nil, false},
		{"just released", withTask(describe(t, running, workflows.StateHeld)), Pending, "", nil, false},
		{"sent again after a hold", describe(t, running, workflows.StateHeld, send(t, begun, failed)), Retrying, failure, []activities.Attempt{failed}, false},
		{"sends its notice", withChild(describe(t, running, "")), Pending, "", nil, false},
		{"unknown destination", describe(t, running, workflows.StateUnknown), Pending, unknownFailure("search"), nil, false},
		{"looks again for its destination", describe(t, running, workflows.StateUnknown, send(t, begun, failed)), Pending, unknownFailure("search"), []activities.Attempt{failed}, false},
		{"paused in Temporal", describe(t, pausedRun, workflows.StateRetrying, backing(t, failed)), Held, failure, []activities.Attempt{failed}, false},
		{"its activity is paused in Temporal", describe(t, running, "", send(t, pausedSend, failed)), Held, failure, []activities.Attempt{failed}, false},
		{"to be paused after its request", describe(t, running, "", send(t, pauseRequested)), Held, "", nil, false},
		{"terminated", describe(t, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, ""), Cancelled, "", nil, false},
		{"timed out", describe(t, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT, ""), Undelivered, "", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			run, failure, err := plain.runOf(tt.give, nil)
			require.NoError(t, err)
			want := Run{RunID: "run-1", Reason: "event", Status: tt.want, StartedAt: noon, Attempts: append([]activities.Attempt{}, tt.wantAttempts...)}
			if tt.wantNext {
				want.NextAttemptAt = &next
			}
			require.Equal(t, want, run)
			require.Equal(t, tt.wantFailure, failure)
		})
	}
}

// A run that waits without an activity has its log in its history.
func TestRunOfReadsTheLogFromTheHistory(t *testing.T) {
	t.Parallel()
	given := func(log ...activities.Attempt) *historypb.HistoryEvent {
		input := activities.SendWebhookInput{Log: activities.AttemptLog{Attempts: log}}
		return &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{
			ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{Input: payloads(t, input)},
		}}
	}
	sent := &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{
		ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{Result: payloads(t, activities.SendWebhookResult{Attempts: []activities.Attempt{failed, under}})},
	}}
	continued := &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
		WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{
			Input: payloads(t, workflows.DeliveryInput{Continued: &workflows.Continuation{Attempts: []activities.Attempt{failed}}}, "event"),
		},
	}}
	tests := []struct {
		name string
		give []*historypb.HistoryEvent
		want int
	}{
		{"given to the activity", []*historypb.HistoryEvent{given(failed)}, 1},
		{"the newest counts", []*historypb.HistoryEvent{given(), given(failed)}, 1},
		{"its result", []*historypb.HistoryEvent{given(failed), sent}, 2},
		{"continued as new", []*historypb.HistoryEvent{continued}, 1},
		{"none", []*historypb.HistoryEvent{{}}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			run, _, err := plain.runOf(describe(t, running, workflows.StateHeld), tt.give)
			require.NoError(t, err)
			require.Len(t, run.Attempts, tt.want)
		})
	}
}

func TestNeedsHistory(t *testing.T) {
	t.Parallel()
	long := func(d *description) *description {
		d.WorkflowExecutionInfo.HistoryLength = 20
		return d
	}
	started := enumspb.PENDING_ACTIVITY_STATE_STARTED
	require.False(t, needsHistory(describe(t, running, "", send(t, started))), "nothing was attempted")
	require.False(t, needsHistory(long(describe(t, running, "", send(t, started, failed)))), "its heartbeats have the log")
	require.True(t, needsHistory(long(describe(t, running, "", send(t, started)))))
	require.True(t, needsHistory(long(describe(t, running, workflows.StateHeld))))
	require.True(t, needsHistory(describe(t, completed, "")))
	continued := describe(t, running, "", send(t, started))
	continued.WorkflowExecutionInfo.FirstRunId = "run-0"
	require.True(t, needsHistory(continued))
}

// history is a stored history of the workflows' replay tests.
func history(t *testing.T, file string) []*historypb.HistoryEvent {
	t.Helper()
	compressed, err := os.Open(file)
	require.NoError(t, err)
	defer func() { _ = compressed.Close() }()
	text, err := gzip.NewReader(compressed)
	require.NoError(t, err)
	h, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
	require.NoError(t, err)
	return h.GetEvents()
}

// describeAt is how Temporal would describe a delivery with that history. Nothing of it is known
// that is not in the history, as the heartbeats of an activity.
func describeAt(t *testing.T, events []*historypb.HistoryEvent) *description {
	t.Helper()
	d := describe(t, running, "")
	info := d.GetWorkflowExecutionInfo()
	info.HistoryLength = int64(len(events))
	attributes := info.GetSearchAttributes().GetIndexedFields()
	pending := map[int64]*workflowpb.PendingActivityInfo{}
	task, children := false, 0
	for _, event := range events {
		switch event.GetEventType() {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
			task = true
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
			task = false
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			pending[event.GetEventId()] = send(t, enumspb.PENDING_ACTIVITY_STATE_STARTED)
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
			delete(pending, event.GetActivityTaskCompletedEventAttributes().GetScheduledEventId())
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
			delete(pending, event.GetActivityTaskFailedEventAttributes().GetScheduledEventId())
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
			delete(pending, event.GetActivityTaskCanceledEventAttributes().GetScheduledEventId())
		case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
			children++
		case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
			children--
		case enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES:
			for name, value := range event.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields() {
				attributes[name] = value
			}
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			info.Status, info.CloseTime = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, event.GetEventTime()
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
			info.Status, info.CloseTime = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, event.GetEventTime()
		case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
			info.Status, info.CloseTime = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, event.GetEventTime()
		default: // says nothing that a description has
		}
	}
	for _, activity := range pending {
		d.PendingActivities = append(d.PendingActivities, activity)
	}
	if task {
		d.PendingWorkflowTask = &workflowpb.PendingWorkflowTaskInfo{}
	}
	for range children {
		d.PendingChildren = append(d.PendingChildren, &workflowpb.PendingChildExecutionInfo{})
	}
	return d
}

// The stored deliveries of every release end as their last event says, and on their way there are
// in states that make sense, without losing an attempt.
func TestStateOfStoredDeliveries(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../workflows/testdata/histories/*.json.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		events := history(t, file)
		if events[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowType().GetName() != workflows.DeliveryType {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			attempts, statuses := 0, []Status{}
			for n := 1; n <= len(events); n++ {
				run, failure, err := plain.runOf(describeAt(t, events[:n]), events[:n])
				require.NoError(t, err)
				require.GreaterOrEqual(t, len(run.Attempts), attempts, "event %d", n)
				attempts = len(run.Attempts)
				for i, attempt := range run.Attempts {
					require.Equal(t, i+1, attempt.Number)
				}
				if run.Status == Undelivered {
					require.NotEmpty(t, failure)
				}
				if !slices.Contains(statuses, run.Status) {
					statuses = append(statuses, run.Status)
				}
			}
			last := statuses[len(statuses)-1]
			switch events[len(events)-1].GetEventType() {
			case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
				require.Equal(t, Delivered, last)
			case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
				require.Equal(t, Undelivered, last)
			case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
				require.Equal(t, Cancelled, last)
			default: // it continues in another history
				require.Equal(t, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, events[len(events)-1].GetEventType())
			}
			if strings.Contains(filepath.Base(file), "held") {
				require.Contains(t, statuses, Held)
			}
		})
	}
}
