package deliveries

import (
	"context"
	"fmt"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"

	"github.com/gitbook-courier/courier/workflows"
)

// EventOf is the event of a delivery as its latest run delivers it, byte for byte, without the
// members that its destination redacts. It returns ErrUnknown when Temporal does not have it.
func (s *Store) EventOf(ctx context.Context, destination, eventID string) (event []byte, err error) {
	defer translate(&err)
	latest, err := s.find(ctx, destination, eventID)
	if err != nil {
		return nil, err
	}
	execution := latest.GetWorkflowExecutionInfo().GetExecution()
	return s.Event(ctx, execution.GetWorkflowId(), execution.GetRunId())
}

// Event is the event that a run delivers, byte for byte: the first event of its history has it, and
// is read alone. It implements activities.Runs.
func (s *Store) Event(ctx context.Context, workflowID, runID string) ([]byte, error) {
	response, err := s.client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace:       s.namespace,
		Execution:       &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
		MaximumPageSize: 1,
	})
	if notFound(err) {
		return nil, ErrUnknown
	}
	if err != nil {
		return nil, err
	}
	events := response.GetHistory().GetEvents()
	if len(events) == 0 {
		return nil, ErrUnknown
	}
	var (
		input workflows.DeliveryInput
		event converter.RawValue
	)
	if err := s.payloads.FromPayloads(events[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &input, &event); err != nil {
		return nil, fmt.Errorf("read the delivery's event: %w", err)
	}
	return event.Payload().GetData(), nil
}
