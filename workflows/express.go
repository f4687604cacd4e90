package workflows

import (
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/activities"
)

// The express lane: the first attempt of a delivery is a local activity within its first workflow
// task, which costs Temporal nothing of its own. After a failure there the delivery goes on as an
// activity that Temporal retries.

const (
	// expressGrace is how much longer than its request an attempt in the express lane may take.
	expressGrace = 2 * time.Second
	// firstTaskEvents is how many events a history has when the first workflow task is done for the
	// first time: started, task scheduled, task started.
	firstTaskEvents = 3
)

// takesExpressLane is whether the first attempt of a delivery is made in the express lane. With
// limits it has to wait for its turn. A schedule without retries has none left after an attempt
// that a crash cut off.
func takesExpressLane(in DeliveryInput) bool {
	return !in.Limited && len(in.RetriesMs) > 0
}

// TaskTimeout is the workflow task timeout of a delivery: time for a whole attempt in the express
// lane, of which the SDK uses four fifths before it would report in between. Zero, the default,
// without the express lane.
func TaskTimeout(in DeliveryInput) time.Duration {
	if !takesExpressLane(in) {
		return 0
	}
	return (in.Timeout() + expressGrace) * 5 / 4
}

// sendExpress makes the first attempt in this very workflow task, or finds out its outcome when the
// task is done once more.
func sendExpress(ctx workflow.Context, in DeliveryInput, event converter.RawValue) (activities.SendWebhookResult, error) {
	input := activities.ExpressInput{Webhook: in.Webhook, Repeated: isRepeated(ctx)}
	if input.Repeated {
		// An attempt that has begun is waited for, also when the delivery is cancelled by now.
		ctx, _ = workflow.NewDisconnectedContext(ctx)
	}
	ctx = workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: input.Timeout() + expressGrace,
		RetryPolicy:         &temporal.RetryPolicy{MaximumAttempts: 1},
	})
	var sent activities.SendWebhookResult
	// By its name, because a replay has no activities.
	err := workflow.ExecuteLocalActivity(ctx, activities.SendWebhookExpressType, input, event).Get(ctx, &sent)
	return sent, err
}

// isRepeated is whether the first workflow task was begun before, by a worker that vanished or
// could not report it: only then does the history have more events than the first ones, signals and
// a request to cancel.
func isRepeated(ctx workflow.Context) bool {
	events := firstTaskEvents
	for _, signal := range []string{ReleaseSignal, InstallationDeletedSignal} {
		events += workflow.GetSignalChannel(ctx, signal).Len()
	}
	if ctx.Err() != nil {
		events++
	}
	return workflow.GetInfo(ctx).GetCurrentHistoryLength() > events
}
