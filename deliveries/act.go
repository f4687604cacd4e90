package deliveries

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

// StateError is an action that a delivery's present state does not permit.
type StateError struct{ Reason string }

func (e *StateError) Error() string { return e.Reason }

// Redeliver starts a further run of a delivery that is over: the same event
// under the same ids, with what the configuration says of its destination
// today. It returns the new run's id. It returns ErrUnknown for an unknown
// delivery and a *StateError while the delivery is running.
func (s *Store) Redeliver(ctx context.Context, destination, eventID string, c config.Config) (runID string, err error) {
	described, err := s.describe(ctx, workflows.DeliveryID(eventID, destination), "")
	if err != nil {
		return "", err
	}
	return s.redeliver(ctx, described.GetWorkflowExecutionInfo(), c, "")
}

// redeliver starts a further run after the latest one, for a bulk job when job
// is not empty.
func (s *Store) redeliver(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, c config.Config, job string) (runID string, err error) {
	running := &StateError{"the delivery is still running; retry it, or cancel it first"}
	if info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return "", running
	}
	input, event, err := s.arguments(ctx, info)
	if err != nil {
		return "", err
	}
	input.Reason = workflows.ReasonRedelivery
	input.Continued = nil
	run, err := s.run(ctx, refresh(c, input), info.GetExecution().GetRunId(), attributesFor(info, job), event)
	var started *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &started) {
		return "", running
	}
	if err != nil {
		return "", err
	}
	return run.GetRunID(), nil
}

// arguments are what a run was started with.
func (s *Store) arguments(ctx context.Context, info *workflowpb.WorkflowExecutionInfo) (input workflows.DeliveryInput, event converter.RawValue, err error) {
	first, err := s.firstEvent(ctx, info.GetExecution())
	if err != nil {
		return input, event, err
	}
	payloads := first.GetWorkflowExecutionStartedEventAttributes().GetInput()
	if err := s.payloads.FromPayloads(payloads, &input, &event); err != nil {
		return input, event, fmt.Errorf("read the delivery's input: %w", err)
	}
	return input, event, nil
}

// attributesFor are the search attributes of the run that follows a run.
func attributesFor(info *workflowpb.WorkflowExecutionInfo, job string) temporal.SearchAttributes {
	var updates []temporal.SearchAttributeUpdate
	for _, key := range workflows.SearchAttributes() {
		value := attribute(info.GetSearchAttributes(), key)
		if key == workflows.Job {
			value = job
		}
		if value != "" {
			updates = append(updates, key.ValueSet(value))
		}
	}
	return temporal.NewSearchAttributes(updates...)
}

// Retry makes a waiting delivery try now instead of at its next slot. The
// attempt counts as any other. It returns ErrUnknown for an unknown delivery
// and a *StateError when the delivery does not wait for an attempt.
func (s *Store) Retry(ctx context.Context, destination, eventID string) error {
	described, err := s.describe(ctx, workflows.DeliveryID(eventID, destination), "")
	if err != nil {
		return err
	}
	execution := described.GetWorkflowExecutionInfo().GetExecution()
	pending := described.GetPendingActivities()
	if len(pending) == 0 || !waits(pending[0]) {
		return &StateError{"the delivery does not wait for another attempt"}
	}
	// An activity that is released from a pause is scheduled at once, and keeps
	// its count of attempts and its log, which a reset would not.
	service, id := s.client.WorkflowService(), pending[0].GetActivityId()
	if !pending[0].GetPaused() {
		_, err = service.PauseActivity(ctx, &workflowservice.PauseActivityRequest{
			Namespace: s.namespace, Execution: execution, Activity: &workflowservice.PauseActivityRequest_Id{Id: id}, Reason: "retry now",
		})
		if err != nil {
			return stateError(err)
		}
	}
	_, err = service.UnpauseActivity(ctx, &workflowservice.UnpauseActivityRequest{
		Namespace: s.namespace, Execution: execution, Activity: &workflowservice.UnpauseActivityRequest_Id{Id: id},
	})
	return stateError(err)
}

// waits is whether an activity waits for its next attempt, or for someone to
// release it from a pause.
func waits(send *workflowpb.PendingActivityInfo) bool {
	switch send.GetState() {
	case enumspb.PENDING_ACTIVITY_STATE_PAUSED:
		return true
	case enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
		return send.GetNextAttemptScheduleTime() != nil
	default:
		return false
	}
}

// Cancel gives a running delivery up. A request that is under way is heard
// out: when it delivers, the delivery counts as delivered. It returns
// ErrUnknown for an unknown delivery and a *StateError for one that is over.
func (s *Store) Cancel(ctx context.Context, destination, eventID string) error {
	described, err := s.describe(ctx, workflows.DeliveryID(eventID, destination), "")
	if err != nil {
		return err
	}
	info := described.GetWorkflowExecutionInfo()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return &StateError{"the delivery is over"}
	}
	return stateError(s.client.CancelWorkflow(ctx, info.GetExecution().GetWorkflowId(), info.GetExecution().GetRunId()))
}

// stateError is what Temporal says of a delivery that has gone on in between.
func stateError(err error) error {
	var (
		gone         *serviceerror.NotFound
		precondition *serviceerror.FailedPrecondition
	)
	if errors.As(err, &gone) || errors.As(err, &precondition) {
		return &StateError{"the delivery has just gone on; look at it again"}
	}
	return err
}
