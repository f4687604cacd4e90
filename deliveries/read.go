package deliveries

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/gitbook-courier/courier/workflows"
)

// Get finds a delivery with all its runs. It returns ErrUnknown when Temporal does not have it.
func (s *Store) Get(ctx context.Context, destination, eventID string) (delivery Delivery, err error) {
	defer translate(&err)
	latest, err := s.find(ctx, destination, eventID)
	if err != nil {
		return Delivery{}, err
	}
	runs, err := s.allRuns(ctx, latest)
	if err != nil {
		return Delivery{}, err
	}
	delivery = s.summarize(latest.GetWorkflowExecutionInfo())
	for _, described := range runs {
		if err := s.add(ctx, &delivery, described); err != nil {
			return Delivery{}, err
		}
	}
	return delivery, nil
}

// allRuns are the runs of a delivery, the oldest first. Each names the one that it followed, until
// retention has removed it; where that leaves gaps, because several were started after the same
// one, visibility fills them.
func (s *Store) allRuns(ctx context.Context, latest *description) ([]*description, error) {
	info := latest.GetWorkflowExecutionInfo()
	id := info.GetExecution().GetWorkflowId()
	runs := map[string]*description{info.GetExecution().GetRunId(): latest}
	add := func(runID string) (*description, error) {
		if described, ok := runs[runID]; ok {
			return described, nil
		}
		described, err := s.describe(ctx, id, runID)
		if errors.Is(err, ErrUnknown) {
			return nil, nil
		}
		if err == nil {
			runs[runID] = described
		}
		return described, err
	}
	err := s.each(ctx, deliveryType+" AND WorkflowId = "+quote(id), func(e *workflowpb.WorkflowExecutionInfo) error {
		_, err := add(e.GetExecution().GetRunId())
		return err
	})
	if err != nil {
		return nil, err
	}
	for previous := s.previous(latest); previous != "" && runs[previous] == nil; {
		described, err := add(previous)
		if err != nil {
			return nil, err
		}
		previous = s.previous(described)
	}
	all := make([]*description, 0, len(runs))
	for _, described := range runs {
		info := described.GetWorkflowExecutionInfo()
		if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW {
			continue // the execution that continues it is the same run
		}
		if first, ok := runs[info.GetFirstRunId()]; ok && first != described {
			info.StartTime = first.GetWorkflowExecutionInfo().GetStartTime()
		}
		all = append(all, described)
	}
	slices.SortFunc(all, func(a, b *description) int {
		return compare(position(b.GetWorkflowExecutionInfo()), position(a.GetWorkflowExecutionInfo()))
	})
	return all, nil
}

// previous is the run id of the run before; empty when there is none.
func (s *Store) previous(described *description) string {
	return s.memo(described.GetWorkflowExecutionInfo().GetMemo()).Previous
}

// add adds a run to a delivery, which it makes the delivery's latest.
func (s *Store) add(ctx context.Context, d *Delivery, described *description) error {
	var (
		events []*historypb.HistoryEvent
		err    error
	)
	if needsHistory(described) {
		if events, err = s.end(ctx, described.GetWorkflowExecutionInfo()); err != nil {
			return err
		}
	}
	run, failure, err := s.runOf(described, events)
	if err != nil {
		return err
	}
	d.Runs = append(d.Runs, run)
	d.Status, d.ClosedAt, d.Failure = run.Status, run.ClosedAt, failure
	d.AttemptCount += len(run.Attempts)
	return nil
}

// find describes the latest run of a delivery. It returns ErrUnknown for an id that no delivery can
// have, without asking Temporal.
func (s *Store) find(ctx context.Context, destination, eventID string) (*description, error) {
	if !printable(destination) || !printable(eventID) || strings.Contains(destination, "@") {
		return nil, ErrUnknown
	}
	return s.describe(ctx, workflows.DeliveryID(eventID, destination), "")
}

// describe describes a run, or the latest run when runID is empty.
func (s *Store) describe(ctx context.Context, id, runID string) (*description, error) {
	described, err := s.client.DescribeWorkflowExecution(ctx, id, runID)
	switch {
	case notFound(err):
		return nil, ErrUnknown
	case err != nil:
		return nil, err
	case described.GetWorkflowExecutionInfo().GetType().GetName() != workflows.DeliveryType:
		return nil, ErrUnknown
	default:
		return described, nil
	}
}

// endPage is how many events are read at once from the end of a history.
const endPage = 16

// end is the end of a run's history, in order: of a closed run the last event, of a running one the
// events from the latest activity on.
func (s *Store) end(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) ([]*historypb.HistoryEvent, error) {
	if !isRunning(info) {
		event, err := s.closeEvent(ctx, info.GetExecution())
		if event == nil {
			return nil, err
		}
		return []*historypb.HistoryEvent{event}, err
	}
	request := &workflowservice.GetWorkflowExecutionHistoryReverseRequest{Namespace: s.namespace, Execution: info.GetExecution(), MaximumPageSize: endPage}
	var events []*historypb.HistoryEvent // the newest first
	for {
		response, err := s.client.WorkflowService().GetWorkflowExecutionHistoryReverse(ctx, request)
		if err != nil {
			return nil, err
		}
		events = append(events, response.GetHistory().GetEvents()...)
		request.NextPageToken = response.GetNextPageToken()
		if len(request.NextPageToken) == 0 || slices.ContainsFunc(response.GetHistory().GetEvents(), isScheduled) {
			slices.Reverse(events)
			return events, nil
		}
	}
}

func isScheduled(event *historypb.HistoryEvent) bool {
	return event.GetActivityTaskScheduledEventAttributes() != nil
}

// closeEvent is the event that closed a workflow; nil when there is none.
func (s *Store) closeEvent(ctx context.Context, execution *commonpb.WorkflowExecution) (*historypb.HistoryEvent, error) {
	events := s.client.GetWorkflowHistory(ctx, execution.GetWorkflowId(), execution.GetRunId(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT)
	if !events.HasNext() {
		return nil, nil
	}
	return events.Next()
}

// readOutcome reads the result of a closed workflow, or the details of its failure, into value.
func (s *Store) readOutcome(ctx context.Context, execution *commonpb.WorkflowExecution, value any) error {
	event, err := s.closeEvent(ctx, execution)
	if err != nil {
		return err
	}
	return s.read(outcomePayloads(event), value)
}

// FirstTask is when the first workflow task of a run was begun, and by which worker. It implements
// activities.Runs.
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
