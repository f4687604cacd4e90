package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// SendWebhookExpressType is the type of the local activity of the express lane.
const SendWebhookExpressType = "SendWebhookExpress"

// ExpressInput is the input of SendWebhookExpress.
type ExpressInput struct {
	Webhook
	// Repeated says that the delivery's first workflow task is done once more, so that its attempt
	// may have been made before.
	Repeated bool `json:"repeated,omitempty"`
}

// SendWebhookExpress makes the first attempt of a delivery, as a local activity in the delivery's
// first workflow task. A destination that was slow or failed lately does not take the express lane,
// nor does one with limits; the result then has no attempts. Its error is as SendWebhook's, with
// the log as its details.
func (a *Activities) SendWebhookExpress(ctx context.Context, in ExpressInput, event converter.RawValue) (SendWebhookResult, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	first, isNew := a.outcomes.begin(run.RunID, in.Repeated, a.Now())
	if !isNew {
		// The attempt of the task before may still be under way.
		select {
		case <-first.over:
			return first.result()
		case <-ctx.Done():
			return SendWebhookResult{}, ctx.Err()
		}
	}
	var o outcome
	defer func() { first.end(o) }() // also after a panic
	if in.Repeated {
		o.log = a.lostAttempt(ctx, run.ID, run.RunID)
	}
	if o.log == nil {
		o = a.expressAttempt(ctx, in, run.ID, event.Payload().GetData())
	}
	return o.result()
}

// expressAttempt makes the attempt, if the lane is open. An outcome without log and error is that
// nothing was sent.
func (a *Activities) expressAttempt(ctx context.Context, in ExpressInput, workflowID string, body []byte) outcome {
	started, name := a.Now(), a.current(in.Destination)
	if a.limiter(name) != nil || !a.lanes.enter(name, started) {
		return outcome{}
	}
	defer a.lanes.leave(name, started)
	if a.Holds.Held(ctx, name) {
		return outcome{err: final(FailureHeld, "deliveries to "+in.Destination+" are held", nil)}
	}
	target, err := a.resolve(ctx, in.Webhook, workflowID)
	if errors.Is(err, errNoSecrets) {
		return outcome{}
	}
	if err != nil {
		return outcome{err: final(FailureDestinationUnknown, err.Error(), nil)}
	}
	o := a.try(ctx, in.Webhook, target, body, []Attempt{a.newEntry(1)})
	if o.log == nil {
		return outcome{} // no request could be made
	}
	return o
}

// result is the outcome as SendWebhookExpress returns it: without the error that is for Temporal's
// retries, but with the log, for the workflow.
func (o outcome) result() (SendWebhookResult, error) {
	switch n := len(o.log); {
	case isFinal(o.err):
		return SendWebhookResult{}, o.err
	case n == 0 || o.log[n-1].Outcome == OutcomeDelivered:
		return SendWebhookResult{Attempts: o.log}, nil
	default:
		last := o.log[n-1]
		return SendWebhookResult{}, temporal.NewApplicationErrorWithOptions(last.Error, failureType(last), temporal.ApplicationErrorOptions{Details: []any{o.log}})
	}
}

// lostAttempt is the log of a first attempt that another worker may have made before it vanished;
// nil when none was made: a task that was lost on its way to this very worker was not begun.
func (a *Activities) lostAttempt(ctx context.Context, workflowID, runID string) []Attempt {
	begun, worker, err := a.Runs.FirstTask(ctx, workflowID, runID)
	if err == nil && worker == a.Worker && a.outcomes.wouldKnow(begun) {
		return nil
	}
	lost := CompleteLog(nil, 1)
	if err != nil {
		activity.GetLogger(ctx).Warn("the start of the attempt is not known", "error", err)
		return lost
	}
	lost[0].StartedAt, lost[0].Worker = begun.UTC(), worker
	return lost
}
