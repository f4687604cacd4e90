package deliveries

import (
	"context"
	"errors"
	"slices"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/workflows"
)

// ErrUnknown is a delivery that Temporal does not hold: there never was one,
// or the namespace's retention has removed it.
var ErrUnknown = errors.New("no such delivery: there never was one, or Temporal's retention has removed it")

// memo is a run's memo.
type memo struct {
	Reason     string
	URL        string
	AcceptedAt time.Time
	Previous   string
}

func (s *Store) readMemo(pb *commonpb.Memo) memo {
	var m memo
	for name, into := range map[string]any{workflows.MemoReason: &m.Reason, workflows.MemoURL: &m.URL, workflows.MemoAcceptedAt: &m.AcceptedAt, workflows.MemoPrevious: &m.Previous} {
		if payload, ok := pb.GetFields()[name]; ok {
			_ = s.payloads.FromPayload(payload, into) // what cannot be read is shown as absent
		}
	}
	return m
}

// Get finds a delivery with all its runs. It returns ErrUnknown when Temporal
// does not hold it.
func (s *Store) Get(ctx context.Context, destination, eventID string) (Delivery, error) {
	id := workflows.DeliveryID(eventID, destination)
	latest, err := s.describe(ctx, id, "")
	if err != nil {
		return Delivery{}, err
	}
	delivery := s.summarize(latest.GetWorkflowExecutionInfo())
	// Each run names the one before, until retention has removed it.
	runs := []*workflowservice.DescribeWorkflowExecutionResponse{latest}
	for previous := s.previousRun(latest); previous != ""; previous = s.previousRun(runs[len(runs)-1]) {
		described, err := s.describe(ctx, id, previous)
		if errors.Is(err, ErrUnknown) {
			break
		}
		if err != nil {
			return Delivery{}, err
		}
		runs = append(runs, described)
	}
	for _, described := range slices.Backward(runs) {
		if err := s.add(ctx, &delivery, described); err != nil {
			return Delivery{}, err
		}
	}
	return delivery, nil
}

func (s *Store) previousRun(described *workflowservice.DescribeWorkflowExecutionResponse) string {
	return s.readMemo(described.GetWorkflowExecutionInfo().GetMemo()).Previous
}

// add adds a run to a delivery, which it makes the delivery's latest.
func (s *Store) add(ctx context.Context, d *Delivery, described *workflowservice.DescribeWorkflowExecutionResponse) error {
	run, err := s.readRun(ctx, described)
	if err != nil {
		return err
	}
	d.Runs = append(d.Runs, run)
	d.Status, d.ClosedAt, d.Failure = run.Status, run.ClosedAt, ""
	if run.Status != Delivered {
		d.Failure = workflows.LastFailure(run.Attempts)
	}
	d.AttemptCount += len(run.Attempts)
	return nil
}

// describe is a run, or the latest run when runID is empty.
func (s *Store) describe(ctx context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	described, err := s.client.DescribeWorkflowExecution(ctx, id, runID)
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return nil, ErrUnknown
	}
	if err == nil && described.GetWorkflowExecutionInfo().GetType().GetName() != workflows.DeliveryType {
		return nil, ErrUnknown
	}
	return described, err
}

// summarize is what is known of a delivery without its runs.
func (s *Store) summarize(info *workflowpb.WorkflowExecutionInfo) Delivery {
	eventID, destination, _ := workflows.ParseDeliveryID(info.GetExecution().GetWorkflowId())
	attributes := info.GetSearchAttributes()
	m := s.readMemo(info.GetMemo())
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

// attribute reads a search attribute, which Temporal indexes and which is
// therefore never encrypted.
func attribute(attributes *commonpb.SearchAttributes, key temporal.SearchAttributeKeyKeyword) string {
	var value string
	_ = converter.GetDefaultDataConverter().FromPayload(attributes.GetIndexedFields()[key.GetName()], &value) // absent is empty
	return value
}

// readRun reads a run's attempts: those of a running one from what its pending
// activity heartbeat, those of a closed one from its outcome.
func (s *Store) readRun(ctx context.Context, described *workflowservice.DescribeWorkflowExecutionResponse) (run Run, err error) {
	info := described.GetWorkflowExecutionInfo()
	run = Run{
		RunID:     info.GetExecution().GetRunId(),
		Reason:    s.readMemo(info.GetMemo()).Reason,
		StartedAt: info.GetStartTime().AsTime(),
		Attempts:  []activities.Attempt{},
	}
	if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		err = s.readRunning(ctx, &run, described)
		if run.Attempts == nil {
			run.Attempts = []activities.Attempt{} // held before the first
		}
		return run, err
	}
	run.ClosedAt = at(info.GetCloseTime())
	run.Status = closedStatus(info.GetStatus())
	outcome, err := s.outcome(ctx, info.GetExecution())
	run.Attempts = append(run.Attempts, outcome...)
	return run, err
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

// readRunning reads the state of a running run from its pending activity. A
// run without one has just begun, or is about to end, perhaps with a notice; or
// else, when neither a workflow task nor a child is pending, it waits for its
// release.
func (s *Store) readRunning(ctx context.Context, run *Run, described *workflowservice.DescribeWorkflowExecutionResponse) error {
	pending := described.GetPendingActivities()
	if len(pending) == 0 {
		err := s.readClosedSends(ctx, run, described)
		switch {
		case described.GetPendingWorkflowTask() == nil && len(described.GetPendingChildren()) == 0:
			run.Status = Held
		case workflows.LastFailure(run.Attempts) != "":
			run.Status = Retrying
		default:
			// Also when it was delivered and no worker has closed the workflow
			// yet: only then can it be sent again.
			run.Status = Pending
		}
		return err
	}
	send := pending[0]
	if send.GetHeartbeatDetails() == nil {
		if err := s.readClosedSends(ctx, run, described); err != nil {
			return err
		}
	} else {
		if err := s.glean(send.GetHeartbeatDetails(), &run.Attempts); err != nil {
			return err
		}
	}
	failed := int(send.GetAttempt()) - 1
	if started := send.GetState() == enumspb.PENDING_ACTIVITY_STATE_STARTED; !started {
		run.Attempts = activities.CompleteLog(run.Attempts, max(len(run.Attempts), failed))
		run.NextAttemptAt = at(send.GetNextAttemptScheduleTime())
	}
	switch {
	case send.GetPaused():
		run.Status = Held
	case failed > 0 || workflows.LastFailure(run.Attempts) != "":
		run.Status = Retrying
	default:
		run.Status = Pending
	}
	return nil
}

// firstSendEvents is how many events the history of a run has until its first
// SendWebhook runs; one that took the express lane, or was held, has more.
const firstSendEvents = 5

// readClosedSends reads the attempts before the activity that is pending:
// those of activities that have ended, because they found their destination
// held, and failed with the log, or with an end that no worker has seen yet;
// and the one of the express lane, which is handed to the activity.
func (s *Store) readClosedSends(ctx context.Context, run *Run, described *workflowservice.DescribeWorkflowExecutionResponse) error {
	info := described.GetWorkflowExecutionInfo()
	if info.GetHistoryLength() <= firstSendEvents {
		return nil
	}
	events := s.client.GetWorkflowHistory(ctx, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return err
		}
		scheduled, failed, completed := event.GetActivityTaskScheduledEventAttributes(), event.GetActivityTaskFailedEventAttributes(), event.GetActivityTaskCompletedEventAttributes()
		switch {
		case scheduled != nil:
			var send activities.SendWebhookInput
			err = s.glean(scheduled.GetInput(), &send)
			run.Attempts = send.Log.Attempts
		case failed != nil:
			err = s.glean(applicationDetails(failed.GetFailure()), &run.Attempts)
		case completed != nil:
			var sent activities.SendWebhookResult
			err = s.glean(completed.GetResult(), &sent)
			run.Attempts = sent.Attempts
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// glean reads payloads into value. What cannot be read is as good as none,
// unless a key is missing.
func (s *Store) glean(payloads *commonpb.Payloads, value any) error {
	if err := s.payloads.FromPayloads(payloads, value); codec.Unreadable(err) {
		return err
	}
	return nil
}

// outcome is the attempt log in a closed run's result or failure.
func (s *Store) outcome(ctx context.Context, execution *commonpb.WorkflowExecution) ([]activities.Attempt, error) {
	var result workflows.DeliveryResult
	err := s.readOutcome(ctx, execution, &result)
	return result.Attempts, err
}

// readOutcome reads what a closed workflow left, as its result or as the
// details of its failure, into value.
func (s *Store) readOutcome(ctx context.Context, execution *commonpb.WorkflowExecution, value any) error {
	events := s.client.GetWorkflowHistory(ctx, execution.GetWorkflowId(), execution.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return nil
	}
	event, err := events.Next()
	if err != nil {
		return err
	}
	// A workflow that someone terminated leaves nothing.
	if payloads := outcomePayloads(event); payloads != nil {
		return s.payloads.FromPayloads(payloads, value)
	}
	return nil
}

// FirstTask is when the first workflow task of a run was begun, and by which
// worker. It implements activities.Runs.
func (s *Store) FirstTask(ctx context.Context, workflowID, runID string) (begun time.Time, worker string, err error) {
	events := s.client.GetWorkflowHistory(ctx, workflowID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		event, err := events.Next()
		if err != nil {
			return time.Time{}, "", err
		}
		if task := event.GetWorkflowTaskStartedEventAttributes(); task != nil {
			return event.GetEventTime().AsTime(), task.GetIdentity(), nil
		}
	}
	return time.Time{}, "", ErrUnknown
}

// firstEvent is the event that a workflow began with.
func (s *Store) firstEvent(ctx context.Context, execution *commonpb.WorkflowExecution) (*historypb.HistoryEvent, error) {
	events := s.client.GetWorkflowHistory(ctx, execution.GetWorkflowId(), execution.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	if !events.HasNext() {
		return nil, ErrUnknown
	}
	return events.Next()
}

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

func at(t *timestamppb.Timestamp) *time.Time {
	if t == nil {
		return nil
	}
	utc := t.AsTime()
	return &utc
}
