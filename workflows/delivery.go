// Package workflows holds Courier's workflows: deterministic code only. It
// reads no configuration, clock or environment; what a workflow needs of the
// configuration arrives in its input.
package workflows

import (
	"errors"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/activities"
)

// FailureUndelivered is the type of the failure of a Delivery that was given up.
const FailureUndelivered = "Undelivered"

// attemptGrace is how much longer than its request an attempt may take, for
// reading the attempt log and reporting.
const attemptGrace = 5 * time.Second

// Reasons for a run of a Delivery.
const (
	// ReasonEvent is the event that came in.
	ReasonEvent = "event"
	// ReasonRedelivery is someone who wants the event sent again.
	ReasonRedelivery = "redelivery"
)

// DeliveryInput is the first argument of Delivery; the second is the event.
type DeliveryInput struct {
	activities.SendWebhookInput
	// Reason is why there is this run: ReasonEvent or ReasonRedelivery.
	Reason string `json:"reason"`
	// EventType is the event's type.
	EventType string `json:"eventType"`
	// URL is the destination's URL without its query string, for display.
	URL string `json:"url"`
	// AcceptedAt is when Courier accepted the event, in UTC.
	AcceptedAt time.Time `json:"acceptedAt"`
}

// DeliveryResult is the result of a Delivery, and the details of its failure.
type DeliveryResult struct {
	// Attempts is the complete attempt log of the run.
	Attempts []activities.Attempt `json:"attempts"`
}

// Delivery delivers one event to one destination. It completes when the
// destination has answered 2xx, and fails with FailureUndelivered when the
// delivery is given up; either way its outcome carries the attempt log.
func Delivery(ctx workflow.Context, input DeliveryInput, event converter.RawValue) (DeliveryResult, error) {
	d := &delivery{input: input}
	d.follow(ctx)
	return d.run(ctx, event)
}

// delivery is the state of a running Delivery.
type delivery struct {
	input DeliveryInput
	// attempts are the failed attempts so far, as far as they were signalled.
	attempts []activities.Attempt
}

// follow keeps the current details up to date while Temporal retries the
// activity, during which the workflow itself sleeps.
func (d *delivery) follow(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, describeStart(d.input))
	failed := workflow.GetSignalChannel(ctx, activities.AttemptFailedSignal)
	workflow.Go(ctx, func(ctx workflow.Context) {
		for {
			var attempt activities.Attempt
			if more := failed.Receive(ctx, &attempt); !more {
				return
			}
			d.attempts = append(d.attempts, attempt)
			workflow.SetCurrentDetails(ctx, describeRetry(d.input, d.attempts))
		}
	})
}

func (d *delivery) run(ctx workflow.Context, event converter.RawValue) (DeliveryResult, error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: d.input.Timeout() + attemptGrace,
		RetryPolicy:         activities.RetryPolicy(d.input.Retries()),
		// A delivery that is cancelled during a request hears how it went.
		WaitForCancellation: true,
		Summary:             "POST " + d.input.URL,
	})
	var sent activities.SendWebhookResult
	err := workflow.ExecuteActivity(ctx, (*activities.Activities).SendWebhook, d.input.SendWebhookInput, event).Get(ctx, &sent)
	if err == nil {
		workflow.SetCurrentDetails(ctx, describeDelivered(d.input, sent.Attempts))
		return DeliveryResult(sent), nil
	}
	if temporal.IsCanceledError(ctx.Err()) {
		attempts := d.attempts
		if log := lastHeartbeat(err); len(log) > len(attempts) {
			attempts = activities.CompleteLog(log, len(log))
		}
		workflow.SetCurrentDetails(ctx, describeCancelled(d.input, attempts))
		return DeliveryResult{}, temporal.NewCanceledError(DeliveryResult{Attempts: attempts})
	}
	attempts, cause := d.story(err)
	workflow.SetCurrentDetails(ctx, describeUndelivered(d.input, attempts))
	return DeliveryResult{}, temporal.NewApplicationErrorWithOptions(undelivered(attempts), FailureUndelivered, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Cause:        cause,
		Details:      []any{DeliveryResult{Attempts: attempts}},
	})
}

// story finds the attempt log and the last failure in the error of
// SendWebhook.
func (d *delivery) story(err error) (attempts []activities.Attempt, cause error) {
	var (
		application *temporal.ApplicationError
		timeout     *temporal.TimeoutError
	)
	switch {
	case errors.As(err, &timeout):
		// Only a worker that vanished in the very last attempt ends the
		// activity with a timeout.
		return activities.CompleteLog(lastHeartbeat(err), len(d.input.RetriesMs)+1), timeout
	case errors.As(err, &application):
		if application.HasDetails() {
			_ = application.Details(&attempts) // unreadable is as good as none
		}
		// The log goes into the workflow's own failure; its cause need not repeat it.
		return attempts, temporal.NewApplicationError(application.Message(), application.Type())
	default:
		return d.attempts, err
	}
}

// lastHeartbeat is the attempt log that a worker which vanished left behind.
func lastHeartbeat(err error) []activities.Attempt {
	var (
		timeout *temporal.TimeoutError
		log     []activities.Attempt
	)
	if errors.As(err, &timeout) && timeout.HasLastHeartbeatDetails() {
		_ = timeout.LastHeartbeatDetails(&log) // unreadable is as good as none
	}
	return log
}
