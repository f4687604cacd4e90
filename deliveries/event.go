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
// members that its destination redacts. Of a fetch event it is the body of the request, which can
// be any bytes. It returns ErrUnknown when Temporal does not have it.
func (s *Store) EventOf(ctx context.Context, destination, eventID string) (event []byte, isJSON bool, err error) {
	defer translate(&err)
	latest, err := s.find(ctx, destination, eventID)
	if err != nil {
		return nil, false, err
	}
	execution := latest.GetWorkflowExecutionInfo().GetExecution()
	input, event, err := s.begun(ctx, execution.GetWorkflowId(), execution.GetRunId())
	return event, len(input.Fetch) == 0, err
}

// Event is the event that a run delivers, byte for byte: the first event of its history has it, and
// is read alone. It implements activities.Runs.
func (s *Store) Event(ctx context.Context, workflowID, runID string) ([]byte, error) {
	_, event, err := s.begun(ctx, workflowID, runID)
	return event, err
}

// begun is what a run began with.
func (s *Store) begun(ctx context.Context, workflowID, runID string) (input workflows.DeliveryInput, body []byte, err error) {
	response, err := s.client.WorkflowService().GetWorkflowExecutionHistory(ctx, &workflowservice.GetWorkflowExecutionHistoryRequest{
		Namespace:       s.namespace,
		Execution:       &commonpb.WorkflowExecution{WorkflowId: workflowID, RunId: runID},
		MaximumPageSize: 1,
	})
	if notFound(err) {
		return input, nil, ErrUnknown
	}
	if err != nil {
		return input, nil, err
	}
	events := response.GetHistory().GetEvents()
	if len(events) == 0 {
		return input, nil, ErrUnknown
	}
	var event converter.RawValue
	if err := s.payloads.FromPayloads(events[0].GetWorkflowExecutionStartedEventAttributes().GetInput(), &input, &event); err != nil {
		return input, nil, fmt.Errorf("read the delivery's event: %w", err)
	}
	return input, event.Payload().GetData(), nil
}
