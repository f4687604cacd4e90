package activities

import (
	"context"
	"encoding/json"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
)

// ProbeEventType is the type of the event that a failing destination is probed with. Receivers
// ignore types that they do not know, so any answer but 429 or 5xx shows that the destination is
// able to take webhooks again.
const ProbeEventType = "courier.probe"

// probeTimeout bounds the request of a probe.
const probeTimeout = 10 * time.Second

// ProbeDestination sends a configured destination a probe, signed like any delivery. It fails with
// a retryable error while the destination is unable.
func (a *Activities) ProbeDestination(ctx context.Context, destination string) error {
	id := "probe_" + activity.GetInfo(ctx).WorkflowExecution.RunID
	body, err := json.Marshal(map[string]string{"eventId": id, "type": ProbeEventType})
	if err != nil {
		return err
	}
	webhook := Webhook{Destination: destination, EventID: id, TimeoutMs: probeTimeout.Milliseconds()}
	target, err := a.resolve(ctx, webhook, "")
	if err != nil {
		return temporal.NewApplicationError(err.Error(), FailureDestinationUnknown)
	}
	verdict := a.attempt(ctx, webhook, target, body, &Attempt{Number: int(activity.GetInfo(ctx).Attempt)})
	if verdict.notSent {
		return temporal.NewApplicationError(verdict.reason, FailureNotSent)
	}
	if verdict.retry {
		return temporal.NewApplicationError(verdict.reason, verdict.outcome)
	}
	return nil
}
