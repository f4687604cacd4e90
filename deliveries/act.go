package deliveries

import (
	"context"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/gitbook-courier/courier/workflows"
)

// Retry makes a waiting delivery try now instead of at its next slot. The attempt counts as any
// other. A delivery that someone paused in Temporal goes on.
//
// It returns ErrUnknown for an unknown delivery and a *StateError when the delivery does not wait
// for an attempt.
func (s *Store) Retry(ctx context.Context, destination, eventID string) (err error) {
	defer translate(&err)
	ctx, cancel := undisturbed(ctx)
	defer cancel()
	described, err := s.find(ctx, destination, eventID)
	if err != nil {
		return err
	}
	info, send := described.GetWorkflowExecutionInfo(), pendingSend(described)
	switch phaseOf(described) {
	case over:
		return &StateError{"the delivery is over; redeliver it to send it again"}
	case held:
		return &StateError{"the delivery is held, because its destination is; resume the destination"}
	case unknown:
		execution := info.GetExecution()
		return goneOn(s.client.SignalWorkflow(ctx, execution.GetWorkflowId(), execution.GetRunId(), workflows.ReleaseSignal, nil))
	case backingOff:
		return goneOn(s.resetActivity(ctx, info, send))
	case paused:
		return goneOn(s.goOn(ctx, info, send))
	default:
		return &StateError{"the delivery does not wait for another attempt: one is under way, or about to begin"}
	}
}

// goOn lets a delivery go on that someone paused in Temporal: as a whole, or its activity, or both.
func (s *Store) goOn(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, send *workflowpb.PendingActivityInfo) error {
	if isPaused(info) {
		if err := s.unpause(ctx, info); err != nil {
			return err
		}
	}
	switch send.GetState() {
	case enumspb.PENDING_ACTIVITY_STATE_PAUSED:
		return s.resetActivity(ctx, info, send)
	case enumspb.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
		// Its request is under way; a reset would cut it off.
		return s.unpauseActivity(ctx, info, send)
	default:
		return nil
	}
}

// resetActivity has Temporal schedule an activity that waits at once, also one that is paused. The
// activity keeps the attempt log, which its heartbeats carry. Temporal begins to count its attempts
// anew, by which nothing here goes.
func (s *Store) resetActivity(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, send *workflowpb.PendingActivityInfo) error {
	_, err := s.client.WorkflowService().ResetActivity(ctx, &workflowservice.ResetActivityRequest{
		Namespace: s.namespace, Execution: info.GetExecution(),
		Activity: &workflowservice.ResetActivityRequest_Id{Id: send.GetActivityId()},
	})
	return err
}

func (s *Store) unpauseActivity(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, send *workflowpb.PendingActivityInfo) error {
	_, err := s.client.WorkflowService().UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{
		Namespace: s.namespace, Execution: info.GetExecution(),
		Activity: &workflowservice.UnpauseActivityRequest_Id{Id: send.GetActivityId()},
	})
	return err
}

// unpause lets a workflow that is paused in Temporal go on.
func (s *Store) unpause(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) error {
	_, err := s.client.WorkflowService().UnpauseWorkflowExecution(ctx, &workflowservice.UnpauseWorkflowExecutionRequest{
		Namespace: s.namespace, WorkflowId: info.GetExecution().GetWorkflowId(), RunId: info.GetExecution().GetRunId(),
	})
	return err
}

// Cancel gives a running delivery up, also a held or a paused one. A request that is under way is
// waited for: when it delivers, the delivery counts as delivered. It returns ErrUnknown for an
// unknown delivery and a *StateError for one that is over.
func (s *Store) Cancel(ctx context.Context, destination, eventID string) (err error) {
	defer translate(&err)
	ctx, cancel := undisturbed(ctx)
	defer cancel()
	described, err := s.find(ctx, destination, eventID)
	if err != nil {
		return err
	}
	info := described.GetWorkflowExecutionInfo()
	if !isRunning(info) {
		return &StateError{"the delivery is over"}
	}
	if err := s.client.CancelWorkflow(ctx, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()); err != nil {
		return goneOn(err)
	}
	if isPaused(info) {
		// Paused, it would not learn that it is cancelled.
		return goneOn(s.unpause(ctx, info))
	}
	return nil
}

// runningError says which call helps with a delivery that is not over.
func runningError(described *description) error {
	switch phaseOf(described) {
	case paused:
		return &StateError{"the delivery is paused in Temporal; retry it to have it go on, or cancel it first"}
	case held:
		return &StateError{"the delivery is held, because its destination is; resume the destination, or cancel the delivery first"}
	default:
		return &StateError{"the delivery is still running; retry it, or cancel it first"}
	}
}

// goneOn makes an error of Temporal about a delivery that has changed in between into a
// *StateError.
func goneOn(err error) error {
	if notFound(err) || is[*serviceerror.FailedPrecondition](err) {
		return &StateError{"the delivery has just gone on; look at it again"}
	}
	return err
}
