package deliveries

import (
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/workflows"
)

// The state of a run follows from Temporal's description of it and, where that does not have the
// attempt log, from its history. Nothing here does I/O.

// description is a run as Temporal describes it.
type description = workflowservice.DescribeWorkflowExecutionResponse

// phase is what a run does.
type phase int

const (
	// over has ended.
	over phase = iota
	// paused waits for an operator who paused it in Temporal.
	paused
	// held waits until its destination is resumed.
	held
	// unknown waits for a worker that knows its destination.
	unknown
	// backingOff waits for the time of its next attempt.
	backingOff
	// working makes an attempt, or is about to make or to end one.
	working
)

// phaseOf is the phase of a run.
func phaseOf(d *description) phase {
	info, send := d.GetWorkflowExecutionInfo(), pendingSend(d)
	state := attribute(info.GetSearchAttributes(), workflows.State)
	switch {
	case !isRunning(info):
		return over
	case isPaused(info), send.GetPaused():
		return paused
	case state == workflows.StateUnknown:
		return unknown
	case send.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED && send.GetNextAttemptScheduleTime() != nil:
		return backingOff
	case send != nil, d.GetPendingWorkflowTask() != nil, len(d.GetPendingChildren()) > 0:
		return working
	default:
		// Nothing is due. One that 0.2 began says so in no other way.
		return held
	}
}

// isRunning is whether a run is not over. One that is paused in Temporal is not.
func isRunning(info *workflowpb.WorkflowExecutionInfo) bool {
	return info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING || isPaused(info)
}

// isPaused is whether a run as a whole is paused in Temporal.
func isPaused(info *workflowpb.WorkflowExecutionInfo) bool {
	return info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
}

// pendingSend is the run's pending SendWebhook, nil when it has none. A delivery has one activity
// at a time.
func pendingSend(d *description) *workflowpb.PendingActivityInfo {
	if pending := d.GetPendingActivities(); len(pending) > 0 {
		return pending[0]
	}
	return nil
}

// firstSendEvents is how many events the history of a run has until its first SendWebhook runs. One
// that took the express lane, or waited, has more.
const firstSendEvents = 5

// needsHistory is whether the attempt log of a run has to be read from its history: that of a
// closed run is in its last event, that of a running one in the heartbeats of its pending activity
// or, before the first of them, in the activity's input.
func needsHistory(d *description) bool {
	info := d.GetWorkflowExecutionInfo()
	if !isRunning(info) {
		return true
	}
	continued := info.GetFirstRunId() != "" && info.GetFirstRunId() != info.GetExecution().GetRunId()
	return pendingSend(d).GetHeartbeatDetails() == nil && (continued || info.GetHistoryLength() > firstSendEvents)
}

// runOf is the state of a run, and why it did not deliver, or has not yet. events are the end of
// its history, in order; see needsHistory. An error is a payload whose key is missing.
func (r reader) runOf(d *description, events []*historypb.HistoryEvent) (run Run, failure string, err error) {
	info := d.GetWorkflowExecutionInfo()
	run = Run{
		RunID:     info.GetExecution().GetRunId(),
		Reason:    r.memo(info.GetMemo()).Reason,
		StartedAt: info.GetStartTime().AsTime(),
		ClosedAt:  at(info.GetCloseTime()),
		Attempts:  []activities.Attempt{},
	}
	var found workflows.DeliveryResult
	if isRunning(info) {
		found, err = r.runningOutcome(d, events)
	} else {
		found, err = r.closedOutcome(events)
	}
	if err != nil {
		return run, "", err
	}
	run.Attempts = append(run.Attempts, found.Attempts...)
	run.Status, failure = statusOf(d, found), found.Failure
	if failure == "" && run.Status != Delivered {
		failure = workflows.LastFailure(found.Attempts)
	}
	if phaseOf(d) == backingOff {
		run.NextAttemptAt = at(pendingSend(d).GetNextAttemptScheduleTime())
	}
	return run, failure, nil
}

// statusOf is the status of a run whose attempt log is known.
func statusOf(d *description, found workflows.DeliveryResult) Status {
	info := d.GetWorkflowExecutionInfo()
	switch phaseOf(d) {
	case over:
		return closedStatus(info.GetStatus())
	case paused, held:
		return Held
	case unknown:
		return Pending
	default:
		state := attribute(info.GetSearchAttributes(), workflows.State)
		if state == workflows.StateRetrying || workflows.LastFailure(found.Attempts) != "" {
			return Retrying
		}
		return Pending
	}
}

func closedStatus(status enumspb.WorkflowExecutionStatus) Status {
	switch status {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return Delivered
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		return Cancelled
	default:
		return Undelivered
	}
}

// runningOutcome is the attempt log of a run that is not over.
func (r reader) runningOutcome(d *description, events []*historypb.HistoryEvent) (found workflows.DeliveryResult, err error) {
	send := pendingSend(d)
	if details := send.GetHeartbeatDetails(); details != nil {
		err = r.read(details, &found.Attempts)
	} else {
		found.Attempts, err = r.logIn(events)
	}
	if err != nil {
		return found, err
	}
	if send.GetState() != enumspb.PENDING_ACTIVITY_STATE_STARTED {
		// The request that its last entry is about is not under way any more.
		found.Attempts = activities.CompleteLog(found.Attempts, len(found.Attempts))
	}
	if phaseOf(d) == unknown {
		info := d.GetWorkflowExecutionInfo()
		_, destination, _ := workflows.ParseDeliveryID(info.GetExecution().GetWorkflowId())
		found.Failure = unknownFailure(destination)
	}
	return found, nil
}

// unknownFailure says why a delivery waits whose destination no worker knows.
func unknownFailure(destination string) string {
	if strings.HasPrefix(destination, activities.InstallationPrefix) {
		return activities.FailureDestinationUnknown + ": no worker accepts " + destination +
			", or has the key that sealed its webhook; see installations and sealing_keys in the configuration, or cancel the delivery"
	}
	return activities.FailureDestinationUnknown + ": no worker has the destination " + destination +
		" in its configuration; add it, name it under formerly of another one, or cancel the delivery"
}

// logIn is the newest attempt log in the events of a running run: the one with which it continued,
// the one that an activity was given, or the one with which the activity ended.
func (r reader) logIn(events []*historypb.HistoryEvent) (log []activities.Attempt, err error) {
	for _, event := range events {
		started, scheduled, failed, completed := event.GetWorkflowExecutionStartedEventAttributes(), event.GetActivityTaskScheduledEventAttributes(), event.GetActivityTaskFailedEventAttributes(), event.GetActivityTaskCompletedEventAttributes()
		switch {
		case started != nil:
			var input workflows.DeliveryInput
			if err = r.read(started.GetInput(), &input); input.Continued != nil {
				log = input.Continued.Attempts
			}
		case scheduled != nil:
			var send activities.SendWebhookInput
			err = r.read(scheduled.GetInput(), &send)
			log = send.Log.Attempts
		case failed != nil:
			err = r.read(applicationDetails(failed.GetFailure()), &log)
		case completed != nil:
			var sent activities.SendWebhookResult
			err = r.read(completed.GetResult(), &sent)
			log = sent.Attempts
		}
		if err != nil {
			return nil, err
		}
	}
	return log, nil
}

// closedOutcome is what a run left in its last event. One that was terminated leaves nothing.
func (r reader) closedOutcome(events []*historypb.HistoryEvent) (found workflows.DeliveryResult, err error) {
	if len(events) == 0 {
		return found, nil
	}
	last := events[len(events)-1]
	err = r.read(outcomePayloads(last), &found)
	cause := last.GetWorkflowExecutionFailedEventAttributes().GetFailure().GetCause()
	if kind := cause.GetApplicationFailureInfo().GetType(); found.Failure == "" && kind == activities.FailureDestinationUnknown {
		found.Failure = kind + ": " + cause.GetMessage()
	}
	return found, err
}

// outcomePayloads are the payloads in the event that closes a workflow.
func outcomePayloads(event *historypb.HistoryEvent) *commonpb.Payloads {
	switch {
	case event.GetWorkflowExecutionCompletedEventAttributes() != nil:
		return event.GetWorkflowExecutionCompletedEventAttributes().GetResult()
	case event.GetWorkflowExecutionFailedEventAttributes() != nil:
		return applicationDetails(event.GetWorkflowExecutionFailedEventAttributes().GetFailure())
	case event.GetWorkflowExecutionCanceledEventAttributes() != nil:
		return event.GetWorkflowExecutionCanceledEventAttributes().GetDetails()
	}
	return nil
}

func applicationDetails(failure *failurepb.Failure) *commonpb.Payloads {
	return failure.GetApplicationFailureInfo().GetDetails()
}

// reader reads what the workflows have stored.
type reader struct{ payloads converter.DataConverter }

// read reads payloads into value. Payloads that cannot be read count as none, unless a key is
// missing.
func (r reader) read(payloads *commonpb.Payloads, value any) error {
	if len(payloads.GetPayloads()) == 0 {
		return nil
	}
	if err := r.payloads.FromPayloads(payloads, value); codec.Unreadable(err) {
		return err
	}
	return nil
}

// memo is a run's memo.
type memo struct {
	Reason     string
	URL        string
	AcceptedAt time.Time
	Previous   string
	EventID    string
	Request    string
}

// memo reads a run's memo. Fields that cannot be read are as absent ones.
func (r reader) memo(pb *commonpb.Memo) memo {
	var m memo
	for name, into := range map[string]any{
		workflows.MemoReason: &m.Reason, workflows.MemoURL: &m.URL, workflows.MemoAcceptedAt: &m.AcceptedAt,
		workflows.MemoPrevious: &m.Previous, workflows.MemoEventID: &m.EventID, memoRequest: &m.Request,
	} {
		if payload, ok := pb.GetFields()[name]; ok {
			_ = r.payloads.FromPayload(payload, into)
		}
	}
	return m
}

// summarize is what is known of a delivery without its runs.
func (r reader) summarize(info *workflowpb.WorkflowExecutionInfo) Delivery {
	eventID, destination, _ := workflows.ParseDeliveryID(info.GetExecution().GetWorkflowId())
	attributes := info.GetSearchAttributes()
	m := r.memo(info.GetMemo())
	if m.EventID != "" {
		eventID = m.EventID
	}
	return Delivery{
		Destination:  destination,
		EventID:      eventID,
		Type:         attribute(attributes, workflows.EventType),
		Installation: attribute(attributes, workflows.Installation),
		Space:        attribute(attributes, workflows.Space),
		Site:         attribute(attributes, workflows.Site),
		URL:          m.URL,
		AcceptedAt:   m.AcceptedAt,
	}
}

// attribute reads a search attribute, which Temporal indexes and which is therefore never
// encrypted. It is empty when absent.
func attribute(attributes *commonpb.SearchAttributes, key temporal.SearchAttributeKeyKeyword) string {
	var value string
	_ = converter.GetDefaultDataConverter().FromPayload(attributes.GetIndexedFields()[key.GetName()], &value)
	return value
}

func at(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.AsTime()
	return &utc
}
