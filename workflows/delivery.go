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

// ReleaseSignal lets a held delivery go on.
const ReleaseSignal = "Release"

// unreadableWait is the pause after a worker could not decrypt what SendWebhook
// was given. Another worker, or this one after a restart, may have the key.
const unreadableWait = 10 * time.Second

// maxHeld is how long a held delivery waits before it looks again whether its
// destination is still held.
const maxHeld = 24 * time.Hour

// attemptGrace is how much longer than its request an attempt may take, for
// reading the attempt log and reporting.
const attemptGrace = 5 * time.Second

// DefaultUnknownPatience is for how long a delivery waits for a worker that
// knows its destination, when its input does not say.
const DefaultUnknownPatience = 24 * time.Hour

// Reasons for a run of a Delivery.
const (
	// ReasonEvent is the event that came in.
	ReasonEvent = "event"
	// ReasonRedelivery is someone who wants the event sent again.
	ReasonRedelivery = "redelivery"
	// ReasonTest is someone who tries the destination out.
	ReasonTest = "test"
	// ReasonNotice is something that Courier itself tells of.
	ReasonNotice = "notice"
)

// DeliveryInput is the first argument of Delivery; the second is the event.
type DeliveryInput struct {
	activities.SendWebhookInput
	// Reason is why there is this run: one of the Reason constants.
	Reason string `json:"reason"`
	// EventType is the event's type.
	EventType string `json:"eventType"`
	// URL is the destination's URL without its query string, for display.
	URL string `json:"url"`
	// Express says that the first attempt is made in the first workflow task, as
	// a local activity.
	Express bool `json:"express,omitempty"`
	// Notify is the start of the input of a notice, when a destination is to be
	// told that the delivery was given up.
	Notify *DeliveryInput `json:"notify,omitempty"`
	// UnknownPatienceMs is for how long the delivery waits, in milliseconds, while
	// no worker knows its destination. Zero is DefaultUnknownPatience.
	UnknownPatienceMs int64 `json:"unknownPatienceMs,omitempty"`
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

func (d *delivery) run(ctx workflow.Context, event converter.RawValue) (DeliveryResult, error) {
	sent, err := d.first(ctx, event)
	for again := d.again(ctx, err); again; again = d.again(ctx, err) {
		workflow.SetCurrentDetails(ctx, describeStart(d.input, d.attempts))
		sent, err = d.send(ctx, event, d.input.SendWebhookInput, d.input.Retries()[len(d.attempts):])
	}
	switch {
	case err == nil:
		workflow.SetCurrentDetails(ctx, describeDelivered(d.input, sent.Attempts))
		return DeliveryResult(sent), nil
	case temporal.IsCanceledError(ctx.Err()):
		// A request that was heard out may have been the last.
		if log := logIn(err); len(log) > len(d.attempts) {
			d.attempts = activities.CompleteLog(log, len(log))
		}
		workflow.SetCurrentDetails(ctx, describeCancelled(d.input, d.attempts))
		return DeliveryResult{}, temporal.NewCanceledError(DeliveryResult{Attempts: d.attempts})
	default:
		return DeliveryResult{}, d.giveUp(ctx, err)
	}
}

// send has SendWebhook make the attempts that are left, the retries of which
// wait as long as retries say.
func (d *delivery) send(ctx workflow.Context, event converter.RawValue, input activities.SendWebhookInput, retries []time.Duration) (activities.SendWebhookResult, error) {
	input.Attempts = d.attempts
	options := workflow.ActivityOptions{
		StartToCloseTimeout: input.Timeout() + attemptGrace,
		RetryPolicy:         activities.RetryPolicy(retries),
		// A delivery that is cancelled during a request hears how it went.
		WaitForCancellation: true,
		Summary:             "POST " + d.input.URL,
	}
	if input.Limited {
		options.StartToCloseTimeout += activities.MaxTurnWait
	}
	var sent activities.SendWebhookResult
	err := workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, options), (*activities.Activities).SendWebhook, input, event).Get(ctx, &sent)
	return sent, err
}

// again is whether to send again after SendWebhook ended without an attempt,
// for a hold, which it waits out, or for want of a turn. It takes over the
// attempts that were made until then.
func (d *delivery) again(ctx workflow.Context, err error) bool {
	var application *temporal.ApplicationError
	if !errors.As(err, &application) {
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
		_ = workflow.Sleep(ctx, unreadableWait)
	default:
		return false
	}
	return ctx.Err() == nil
}

// awaitRelease waits until the hold of the destination is over. A release
// signal that came early counts: it costs one look at the hold. So does the
// end of the longest wait, should a signal ever be lost.
func (d *delivery) awaitRelease(ctx workflow.Context) {
	var released bool
	_, _ = workflow.AwaitWithTimeout(ctx, maxHeld, func() bool {
		released = workflow.GetSignalChannel(ctx, ReleaseSignal).ReceiveAsync(nil)
		return released
	})
}

// giveUp ends the delivery as undelivered.
func (d *delivery) giveUp(ctx workflow.Context, err error) error {
	attempts, cause := d.story(err)
	workflow.SetCurrentDetails(ctx, describeUndelivered(d.input, attempts))
	notifyUndelivered(ctx, d.input, attempts)
	return temporal.NewApplicationErrorWithOptions(undelivered(attempts), FailureUndelivered, temporal.ApplicationErrorOptions{
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
		return activities.CompleteLog(logIn(err), len(d.input.RetriesMs)+1), timeout
	case errors.As(err, &application):
		// The log goes into the workflow's own failure; its cause need not repeat it.
		return logIn(err), temporal.NewApplicationError(application.Message(), application.Type())
	default:
		return d.attempts, err
	}
}

// logIn is the attempt log in the error of SendWebhook: that of the last
// attempt or, of a worker that vanished, that of its last heartbeat.
func logIn(err error) (log []activities.Attempt) {
	var (
		application *temporal.ApplicationError
		timeout     *temporal.TimeoutError
	)
	// What is unreadable is as good as none.
	switch {
	case errors.As(err, &timeout) && timeout.HasLastHeartbeatDetails():
		_ = timeout.LastHeartbeatDetails(&log)
	case errors.As(err, &application) && application.HasDetails():
		_ = application.Details(&log)
	}
	return log
}
