package workflows

import (
	"errors"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/activities"
)

// Deliveries that 0.1 and 0.2 began, and the code they go on with. Their SendWebhook gets the event
// with each execution, counts them, and is scheduled anew when it was held or had no turn. Nothing
// here may change; it goes when no such delivery can be running any more.

const (
	// legacyUnreadableWait is the pause after a worker could not decrypt the input of SendWebhook.
	legacyUnreadableWait = 10 * time.Second
	// legacyHeldWait is how long a held delivery waits before it looks again whether its
	// destination is still held.
	legacyHeldWait = 24 * time.Hour
	// legacyGrace is how much longer than its request an execution may take.
	legacyGrace = 5 * time.Second
	// legacyTurnWait is how long one may wait for its turn.
	legacyTurnWait = 2 * time.Minute
)

// legacySend is the input of SendWebhook.
type legacySend struct {
	activities.Webhook
	Attempts   []activities.Attempt `json:"attempts,omitempty"`
	HandedOver bool                 `json:"handedOver,omitempty"`
	Repeated   bool                 `json:"repeated,omitempty"`
	Limited    bool                 `json:"limited,omitempty"`
}

// legacyDelivery is a delivery that 0.1 or 0.2 began.
type legacyDelivery struct {
	input DeliveryInput
	// attempts are the failed attempts so far, as far as they were signalled.
	attempts []activities.Attempt
}

// follow keeps the current details up to date while Temporal retries the activity, during which the
// workflow itself sleeps.
func (d *legacyDelivery) follow(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, describeStart(d.input, nil))
	failed := workflow.GetSignalChannel(ctx, activities.AttemptFailedSignal)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var attempt activities.Attempt
			if more := failed.Receive(ctx, &attempt); !more {
				return
			}
			if n := len(d.attempts); n > 0 && attempt.Number <= d.attempts[n-1].Number {
				continue // known already, by the log of an activity that has ended
			}
			d.attempts = append(d.attempts, attempt)
			workflow.SetCurrentDetails(ctx, describeRetry(d.input, d.attempts))
		}
	})
}

func (d *legacyDelivery) run(ctx workflow.Context, event converter.RawValue) (DeliveryResult, error) {
	sent, err := d.first(ctx, event)
	for again := d.awaitsAnother(ctx, err); again; again = d.awaitsAnother(ctx, err) {
		workflow.SetCurrentDetails(ctx, describeStart(d.input, d.attempts))
		sent, err = d.send(ctx, event, d.webhook(), d.input.Retries()[len(d.attempts):])
	}
	switch {
	case err == nil:
		workflow.SetCurrentDetails(ctx, describeDelivered(d.input, sent.Attempts))
		return DeliveryResult{Attempts: sent.Attempts}, nil
	case temporal.IsCanceledError(ctx.Err()):
		// A request that was under way may have been the last.
		if log := logIn(err); len(log) > len(d.attempts) {
			d.attempts = activities.CompleteLog(log, len(log))
		}
		workflow.SetCurrentDetails(ctx, describeCancelled(d.input, d.attempts))
		return DeliveryResult{}, temporal.NewCanceledError(DeliveryResult{Attempts: d.attempts})
	default:
		return DeliveryResult{}, d.giveUp(ctx, err)
	}
}

// send has SendWebhook make the attempts that are left, the retries of which wait as long as
// retries say.
func (d *legacyDelivery) send(ctx workflow.Context, event converter.RawValue, input legacySend, retries []time.Duration) (activities.SendWebhookResult, error) {
	input.Attempts = d.attempts
	options := workflow.ActivityOptions{
		StartToCloseTimeout: input.Timeout() + legacyGrace,
		RetryPolicy:         legacyPolicy(retries),
		// A delivery that is cancelled during a request hears how it went.
		WaitForCancellation: true,
		Summary:             "POST " + d.input.URL,
	}
	if input.Limited {
		options.StartToCloseTimeout += legacyTurnWait
	}
	var sent activities.SendWebhookResult
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), activities.SendWebhookType, input, event).Get(ctx, &sent)
	return sent, err
}

// awaitsAnother is whether to send again after SendWebhook ended without an attempt, for a hold,
// which it waits out, or for want of a turn. It takes over the attempts that were made until then.
func (d *legacyDelivery) awaitsAnother(ctx workflow.Context, err error) bool {
	application, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return false
	}
	switch application.Type() {
	case activities.FailureHeld:
		d.attempts = logIn(err)
		workflow.SetCurrentDetails(ctx, describeHeld(d.input, d.attempts))
		d.awaitRelease(ctx)
	case activities.FailureNoTurn:
		d.attempts = logIn(err)
	case activities.FailureUnreadable:
		// The activity could not read its log either; what it signalled is here.
		_ = workflow.Sleep(ctx, legacyUnreadableWait)
	default:
		return false
	}
	return ctx.Err() == nil
}

// awaitRelease waits until the hold of the destination is over. A release signal that came early
// counts: it costs one look at the hold. So does the end of the longest wait, should a signal ever
// be lost.
func (d *legacyDelivery) awaitRelease(ctx workflow.Context) {
	var released bool
	_, _ = workflow.AwaitWithTimeout(ctx, legacyHeldWait, func() bool {
		released = workflow.GetSignalChannel(ctx, ReleaseSignal).ReceiveAsync(nil)
		return released
	})
}

// giveUp ends the delivery as undelivered.
func (d *legacyDelivery) giveUp(ctx workflow.Context, err error) error {
	attempts, cause := d.story(err)
	workflow.SetCurrentDetails(ctx, describeUndelivered(d.input, attempts))
	notifyUndelivered(ctx, d.input, DeliveryResult{Attempts: attempts})
	return temporal.NewApplicationErrorWithOptions(undelivered(DeliveryResult{Attempts: attempts}), FailureUndelivered, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Cause:        cause,
		Details:      []any{DeliveryResult{Attempts: attempts}},
	})
}

// story finds the attempt log and the last failure in the error of SendWebhook.
func (d *legacyDelivery) story(err error) (attempts []activities.Attempt, cause error) {
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		// Only a worker that vanished in the very last attempt ends the activity with a timeout.
		return activities.CompleteLog(logIn(err), len(d.input.RetriesMs)+1), timeout
	}
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		// The log goes into the workflow's own failure; its cause need not repeat it.
		return logIn(err), temporal.NewApplicationError(application.Message(), application.Type())
	}
	return d.attempts, err
}

// first sends for the first time: through the express lane if the delivery may take it. A schedule
// without retries does not, because an attempt that a crash cut off would leave it none.
func (d *legacyDelivery) first(ctx workflow.Context, event converter.RawValue) (activities.SendWebhookResult, error) {
	input := d.webhook()
	if !d.input.Express || len(input.RetriesMs) == 0 {
		return d.send(ctx, event, input, input.Retries())
	}
	sent, err := d.express(ctx, event)
	application, failed := errors.AsType[*temporal.ApplicationError](err)
	switch {
	case err == nil && len(sent.Attempts) == 0: // the lane was closed
		return d.send(ctx, event, input, input.Retries())
	case err == nil, temporal.IsCanceledError(err), failed && application.NonRetryable():
		return sent, err
	}
	d.attempts = activities.CompleteLog(logIn(err), 1)
	workflow.SetCurrentDetails(ctx, describeRetry(d.input, d.attempts))
	input.HandedOver = true
	return d.send(ctx, event, input, input.Retries())
}

// express makes the first attempt in this very workflow task, or finds out what became of it when
// the task is done once more.
func (d *legacyDelivery) express(ctx workflow.Context, event converter.RawValue) (activities.SendWebhookResult, error) {
	input := d.webhook()
	if input.Repeated = isRepeated(ctx); input.Repeated {
		// An attempt that has begun is waited for, also when the delivery is cancelled by now.
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: input.Timeout() + expressGrace,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	var sent activities.SendWebhookResult
	// By its name, because a replay has no activities.
	err := workflow.ExecuteLocalActivity(ctx, activities.SendWebhookType, input, event).Get(ctx, &sent)
	return sent, err
}

// webhook is the input of SendWebhook before the first attempt.
func (d *legacyDelivery) webhook() legacySend {
	return legacySend{Webhook: d.input.Webhook, Limited: d.input.Limited}
}

// legacyPolicy counts executions as attempts.
func legacyPolicy(retries []time.Duration) *temporal.RetryPolicy {
	policy := activities.RetryPolicy()
	policy.MaximumInterval = 0
	policy.MaximumAttempts = int32(len(retries)) + 1
	policy.NonRetryableErrorTypes = append(policy.NonRetryableErrorTypes, activities.FailureNoTurn, activities.FailureUnreadable)
	if len(retries) > 0 {
		policy.InitialInterval = retries[0]
		policy.MaximumInterval = slices.Max(retries)
	}
	return policy
}
