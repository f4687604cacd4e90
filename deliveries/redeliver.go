package deliveries

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/workflows"
)

// memoRequest is the memo field of a redelivery that says which call began it: a random id, or the
// id of the bulk job.
const memoRequest = "request"

// Redeliver starts a further run of a delivery that is over: the same event under the same ids,
// with the schedule and the URL that the configuration has for its destination today. It returns
// the new run's id.
//
// Of several calls at the same time one starts a run, and the others return a
// *StateError, as all do while the delivery is running. It returns ErrUnknown
// for an unknown delivery.
func (s *Store) Redeliver(ctx context.Context, destination, eventID string) (runID string, err error) {
	defer translate(&err)
	asked := s.now()
	ctx, cancel := undisturbed(ctx)
	defer cancel()
	if !s.redelivering.claim(destination, eventID) {
		return "", errSentAgain
	}
	defer s.redelivering.release(destination, eventID)
	described, err := s.find(ctx, destination, eventID)
	if err != nil {
		return "", err
	}
	info := described.GetWorkflowExecutionInfo()
	if isRunning(info) {
		return "", runningError(described)
	}
	if closed := info.GetCloseTime(); closed != nil && !closed.AsTime().Before(asked) {
		// It ran when this call came in, most likely because another call had just begun it.
		return "", errSentAgain
	}
	if runID, err = s.redeliver(ctx, info, uuid.NewString(), ""); err == nil {
		settle(ctx)
	}
	return runID, err
}

// redeliverSettle is how long a redelivery is answered late. A run can be over within milliseconds;
// a call that was made at the same time, but arrives a little later, must not start another.
const redeliverSettle = 250 * time.Millisecond

func settle(ctx context.Context) {
	timer := time.NewTimer(redeliverSettle)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// claims are the deliveries that this process is redelivering.
type claims struct {
	mu  sync.Mutex
	now map[Key]bool
}

// claim reports false for a delivery that is claimed already.
func (c *claims) claim(destination, eventID string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := Key{destination, eventID}
	if c.now[key] {
		return false
	}
	if c.now == nil {
		c.now = make(map[Key]bool)
	}
	c.now[key] = true
	return true
}

func (c *claims) release(destination, eventID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.now, Key{destination, eventID})
}

// errSentAgain is a redelivery that came too late.
var errSentAgain = &StateError{"the delivery is being sent again already; look at it, and redeliver it when it is over"}

// redeliver starts the run that follows a run which is over. request names the call; a run that the
// same call has started before is found again. job is the id of the bulk job, empty for none.
//
// Every call that follows the same run uses the same request id, so that Temporal starts one run
// for all of them. The memo says whose it is.
func (s *Store) redeliver(ctx context.Context, info *workflowpb.WorkflowExecutionInfo, request, job string) (runID string, err error) {
	input, event, err := s.arguments(ctx, info)
	if err != nil {
		return "", err
	}
	previous := info.GetExecution().GetRunId()
	input = s.refresh(input)
	input.Reason, input.Continued = workflows.ReasonRedelivery, nil
	options := startOptions(input)
	// Another id than the stored one would start another delivery.
	options.ID = info.GetExecution().GetWorkflowId()
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	options.TypedSearchAttributes = attributesFor(info, job)
	options.Memo = workflows.Memo(input, previous)
	options.Memo[memoRequest] = request
	// No eager start: Temporal would hand the first task to every caller with the same request id,
	// and each would make the first attempt.
	run, err := s.client.ExecuteWorkflow(withRequestID(ctx, "redelivery-after-"+previous), options, workflows.Delivery, input, event)
	if is[*serviceerror.WorkflowExecutionAlreadyStarted](err) {
		return "", errSentAgain
	}
	if err != nil {
		return "", err
	}
	started, err := s.describe(ctx, options.ID, run.GetRunID())
	if err != nil {
		return "", err
	}
	if s.memo(started.GetWorkflowExecutionInfo().GetMemo()).Request != request {
		return "", errSentAgain
	}
	return run.GetRunID(), nil
}

// arguments are those that a run was started with.
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

// attributesFor are the search attributes of the run that follows a run. Those of the run's own
// state and of its bulk job are not carried over.
func attributesFor(info *workflowpb.WorkflowExecutionInfo, job string) temporal.SearchAttributes {
	var updates []temporal.SearchAttributeUpdate
	for _, key := range workflows.SearchAttributes() {
		value := attribute(info.GetSearchAttributes(), key)
		switch key {
		case workflows.Job:
			value = job
		case workflows.State:
			value = ""
		}
		if value != "" {
			updates = append(updates, key.ValueSet(value))
		}
	}
	return temporal.NewSearchAttributes(updates...)
}

// actTimeout bounds an act on a delivery or a destination.
const actTimeout = 10 * time.Second

// undisturbed is a context for an act that must not be left half done when the caller goes away.
func undisturbed(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), actTimeout)
}
