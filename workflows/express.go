package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/activities"
)

// The express lane: the first attempt of a delivery is a local activity within
// its first workflow task, which costs Temporal nothing of its own. What fails
// there goes on as an activity that Temporal retries.

const (
	// expressGrace is how much longer than its request an attempt in the express
	// lane may take.
	expressGrace = 2 * time.Second
	// firstTaskEvents is how many events a history has when the first workflow
	// task is done for the first time: started, task scheduled, task started.
	firstTaskEvents = 3
)

// TaskTimeout is the workflow task timeout of a delivery: time for a whole
// attempt in the express lane, of which the SDK uses four fifths before it
// would report in between. Zero, the default, without the express lane.
func TaskTimeout(in DeliveryInput) time.Duration {
	if !in.Express {
		return 0
	}
	return (in.Timeout() + expressGrace) * 5 / 4
}

// first sends for the first time: through the express lane if the delivery may
// take it. A schedule without retries does not, because an attempt that a
// crash cut off would leave it none.
func (d *delivery) first(ctx workflow.Context, event converter.RawValue) (activities.SendWebhookResult, error) {
	input := d.input.SendWebhookInput
	if !d.input.Express || len(input.RetriesMs) == 0 {
		return d.send(ctx, event, input, input.Retries())
	}
	sent, err := d.express(ctx, event)
	var application *temporal.ApplicationError
	switch {
	case err == nil && len(sent.Attempts) == 0: // the lane was closed
		return d.send(ctx, event, input, input.Retries())
	case err == nil, temporal.IsCanceledError(err), errors.As(err, &application) && application.NonRetryable():
		return sent, err
	}
	d.attempts = activities.CompleteLog(logIn(err), 1)
	workflow.SetCurrentDetails(ctx, describeRetry(d.input, d.attempts))
	input.HandedOver = true
	return d.send(ctx, event, input, input.Retries())
}

// express makes the first attempt in this very workflow task, or finds out what
// became of it when the task is done once more.
func (d *delivery) express(ctx workflow.Context, event converter.RawValue) (activities.SendWebhookResult, error) {
	input := d.input.SendWebhookInput
	if input.Repeated = repeated(ctx); input.Repeated {
		// What was begun is heard out, also when the delivery is cancelled by now.
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

// repeated is whether the first workflow task was begun before, by a worker
// that vanished or could not report it: only then does the history have more
// events than the first ones, signals and a request to cancel.
func repeated(ctx workflow.Context) bool {
	events := firstTaskEvents + workflow.GetSignalChannel(ctx, ReleaseSignal).Len()
	if ctx.Err() != nil {
		events++
	}
	return workflow.GetInfo(ctx).GetCurrentHistoryLength() > events
}
