// Package workflows holds Courier's workflows: deterministic code only. It reads no configuration,
// clock or environment; what a workflow needs of the configuration arrives in its input.
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

// InstallationDeletedSignal gives up a delivery to an installation's own webhook: GitBook has
// uninstalled the integration.
const InstallationDeletedSignal = "InstallationDeleted"

// FailureInstallationDeleted is the type of the cause of a delivery that InstallationDeletedSignal
// has given up.
const FailureInstallationDeleted = "InstallationDeleted"

// DefaultUnknownPatience is for how long a delivery waits for a worker that knows its destination,
// when its input does not say.
const DefaultUnknownPatience = 24 * time.Hour

// Reasons for a run of a Delivery.
const (
	// ReasonEvent is the event that came in.
	ReasonEvent = "event"
	// ReasonRedelivery is a request to send the event again.
	ReasonRedelivery = "redelivery"
	// ReasonTest is a request to send samples.
	ReasonTest = "test"
	// ReasonNotice is an event of Courier's own.
	ReasonNotice = "notice"
)

// firstUnknownWait is after how long a delivery looks for the first time whether a worker knows its
// destination by now. Each further wait is twice as long.
const firstUnknownWait = time.Minute

// loadTimeout bounds one try to read the event.
const loadTimeout = 10 * time.Second

// DeliveryInput is the first argument of Delivery; the second is the event.
type DeliveryInput struct {
	activities.Webhook
	// Reason is why there is this run: one of the Reason constants.
	Reason string `json:"reason"`
	// EventType is the event's type.
	EventType string `json:"eventType"`
	// URL is the destination's URL without its query string, for display.
	URL string `json:"url"`
	// Limited says that the destination had limits when the event was stored.
	Limited bool `json:"limited,omitempty"`
	// Express is of deliveries stored by 0.2: their first attempt is made in the first workflow
	// task. Since then the workflow decides.
	Express bool `json:"express,omitempty"`
	// Notify is the start of the input of a notice, when a destination wants one of a delivery that
	// was given up.
	Notify *DeliveryInput `json:"notify,omitempty"`
	// UnknownPatienceMs is for how long the delivery waits, in milliseconds, while no worker knows
	// its destination. Zero is DefaultUnknownPatience.
	UnknownPatienceMs int64 `json:"unknownPatienceMs,omitempty"`
	// Continued is where an earlier execution of the same run stopped, when its history had become
	// long.
	Continued *Continuation `json:"continued,omitempty"`
	// AcceptedAt is when Courier accepted the event, in UTC.
	AcceptedAt time.Time `json:"acceptedAt"`
}

// Continuation is the state with which a delivery continues as new.
type Continuation struct {
	// Attempts is the attempt log so far.
	Attempts []activities.Attempt `json:"attempts"`
	// State is the value of the search attribute State; empty when it has none.
	State string `json:"state,omitempty"`
}

// DeliveryResult is the result of a Delivery, and the details of its failure.
type DeliveryResult struct {
	// Attempts is the complete attempt log of the run.
	Attempts []activities.Attempt `json:"attempts"`
	// Failure is why the delivery was given up, when the last attempt does not say it, such as
	// "DestinationUnknown: …".
	Failure string `json:"failure,omitempty"`
}

// Delivery delivers one event to one destination. It completes when the destination has answered
// 2xx, and fails with FailureUndelivered when the delivery is given up; either way its outcome
// carries the attempt log.
func Delivery(ctx workflow.Context, input DeliveryInput, event converter.RawValue) (DeliveryResult, error) {
	result, err := deliver(ctx, input, event)
	countDelivery(ctx, input, err)
	return result, err
}

func deliver(ctx workflow.Context, input DeliveryInput, event converter.RawValue) (DeliveryResult, error) {
	if isLegacy(ctx) {
		d := &legacyDelivery{input: input}
		d.follow(ctx)
		return d.run(ctx, event)
	}
	d := &delivery{input: input, release: workflow.GetSignalChannel(ctx, ReleaseSignal)}
	if input.Continued != nil {
		d.attempts, d.state = input.Continued.Attempts, input.Continued.State
	}
	d.receiveAttempts(ctx)
	return d.run(ctx, event)
}

// delivery is the state of a running Delivery.
type delivery struct {
	input   DeliveryInput
	release workflow.ReceiveChannel
	// attempts are the attempts so far, as far as they were signalled.
	attempts []activities.Attempt
	// state is the value of the search attribute State.
	state string
	// uninstalled says that the delivery's installation is deleted.
	uninstalled bool
	// unknownSince is since when no worker knows the destination, and unknownWait is the next wait;
	// zero while one does.
	unknownSince time.Time
	unknownWait  time.Duration
}

// receiveAttempts keeps the current details and the state up to date while Temporal retries the
// activity, during which the workflow itself sleeps.
func (d *delivery) receiveAttempts(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, describeStart(d.input, d.attempts))
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
			d.setState(ctx, StateRetrying)
			workflow.SetCurrentDetails(ctx, describeRetry(d.input, d.attempts))
		}
	})
}

// setState makes the state searchable. Empty is a state too.
func (d *delivery) setState(ctx workflow.Context, state string) {
	if state == d.state {
		return
	}
	d.state = state
	update := State.ValueUnset()
	if state != "" {
		update = State.ValueSet(state)
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, update); err != nil {
		workflow.GetLogger(ctx).Error("the state is not searchable", "state", state, "error", err)
	}
}

func (d *delivery) run(ctx workflow.Context, event converter.RawValue) (DeliveryResult, error) {
	sending := d.untilUninstalled(ctx)
	sent, err := d.first(ctx, sending, event)
	for d.waitsFor(sending, err) != "" {
		d.setState(ctx, d.sendingState())
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return DeliveryResult{}, d.continueAsNew(ctx)
		}
		workflow.SetCurrentDetails(ctx, describeStart(d.input, d.attempts))
		sent, err = d.send(sending, false)
	}
	d.setState(ctx, "")
	switch {
	case err == nil:
		workflow.SetCurrentDetails(ctx, describeDelivered(d.input, sent.Attempts))
		return DeliveryResult{Attempts: sent.Attempts}, nil
	case temporal.IsCanceledError(ctx.Err()):
		d.learn(err) // the last request may have been made since the cancellation
		workflow.SetCurrentDetails(ctx, describeCancelled(d.input, d.attempts))
		return DeliveryResult{}, temporal.NewCanceledError(DeliveryResult{Attempts: d.attempts})
	case d.uninstalled:
		d.learn(err)
		return DeliveryResult{}, d.giveUp(ctx, temporal.NewApplicationError("GitBook uninstalled the integration", FailureInstallationDeleted))
	default:
		return DeliveryResult{}, d.giveUp(ctx, err)
	}
}

// untilUninstalled is a context in which the delivery is sent: it ends when the installation is
// deleted. A request that is under way then is waited for, as when the delivery is cancelled.
func (d *delivery) untilUninstalled(ctx workflow.Context) workflow.Context {
	deleted := workflow.GetSignalChannel(ctx, InstallationDeletedSignal)
	ctx, end := workflow.WithCancel(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		deleted.Receive(ctx, nil)
		d.uninstalled = true
		end()
	})
	return ctx
}

// first sends for the first time: in the express lane, where the delivery may take it. Nothing
// needs the event any more after that. Only what follows the express lane ends with sending.
func (d *delivery) first(ctx, sending workflow.Context, event converter.RawValue) (activities.SendWebhookResult, error) {
	if d.input.Continued != nil || !takesExpressLane(d.input) {
		forget(event)
		return d.send(sending, false)
	}
	sent, err := sendExpress(ctx, d.input, event)
	forget(event)
	switch failure, ok := errors.AsType[*temporal.ApplicationError](err); {
	case err == nil && len(sent.Attempts) == 0: // the lane was closed
		return d.send(sending, false)
	case err == nil, temporal.IsCanceledError(err), ok && failure.NonRetryable():
		return sent, err
	}
	if d.learn(err); len(d.attempts) == 0 {
		// The local activity itself was lost, and nothing says that it was not made.
		d.attempts = activities.CompleteLog(nil, 1)
	}
	d.setState(ctx, StateRetrying)
	workflow.SetCurrentDetails(ctx, describeRetry(d.input, d.attempts))
	return d.send(sending, true)
}

// send has SendWebhook make the attempts that are left. handedOver says that the express lane has
// just made the last one.
func (d *delivery) send(ctx workflow.Context, handedOver bool) (activities.SendWebhookResult, error) {
	input := activities.SendWebhookInput{Webhook: d.input.Webhook, Log: activities.AttemptLog{Attempts: d.attempts}, HandedOver: handedOver}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: input.Timeout() + activities.SendGrace,
		HeartbeatTimeout:    activities.HeartbeatTimeout,
		RetryPolicy:         activities.RetryPolicy(),
		// A delivery that is cancelled during a request waits for its outcome.
		WaitForCancellation: true,
		Summary:             "POST " + d.input.URL,
	})
	var sent activities.SendWebhookResult
	// Without the event: the activity reads it from the start of this history.
	err := workflow.ExecuteActivity(ctx, activities.SendWebhookType, input).Get(ctx, &sent)
	return sent, err
}

// waitsFor waits until it makes sense to send again, when SendWebhook ended because it could not
// send, and returns the state that the delivery waited in. It returns "" when the delivery is over,
// or was cancelled meanwhile.
func (d *delivery) waitsFor(ctx workflow.Context, err error) string {
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok || ctx.Err() != nil {
		return ""
	}
	state := ""
	switch failure.Type() {
	case activities.FailureHeld:
		state = StateHeld
		d.learn(err)
		d.unknownSince = time.Time{}
		d.awaitRelease(ctx)
	case activities.FailureDestinationUnknown:
		state = StateUnknown
		d.learn(err)
		if !d.awaitDestination(ctx) {
			return ""
		}
	}
	if ctx.Err() != nil {
		return ""
	}
	return state
}

// awaitRelease waits until the hold of the destination ends. A release that came early counts: it
// costs one look at the hold. No timer runs meanwhile: workers look for deliveries that are held
// without a hold.
func (d *delivery) awaitRelease(ctx workflow.Context) {
	d.setState(ctx, StateHeld)
	workflow.SetCurrentDetails(ctx, describeHeld(d.input, d.attempts))
	_ = workflow.Await(ctx, func() bool { return d.release.Len() > 0 }) // a cancellation ends it too
	d.release.ReceiveAsync(nil)
}

// awaitDestination waits before the next look for a worker that knows the destination; one that
// does ends the wait with a release. It returns false when the patience is at its end.
func (d *delivery) awaitDestination(ctx workflow.Context) bool {
	now := workflow.Now(ctx)
	if d.unknownSince.IsZero() {
		d.unknownSince, d.unknownWait = now, firstUnknownWait
	}
	left := d.unknownSince.Add(d.patience()).Sub(now)
	if left <= 0 {
		return false
	}
	d.setState(ctx, StateUnknown)
	workflow.SetCurrentDetails(ctx, describeUnknown(d.input, d.attempts))
	d.release.ReceiveWithTimeout(ctx, min(d.unknownWait, left), nil)
	d.unknownWait *= 2
	return true
}

// patience is for how long the delivery waits for a worker that knows its destination.
func (d *delivery) patience() time.Duration {
	if d.input.UnknownPatienceMs == 0 {
		return DefaultUnknownPatience
	}
	return time.Duration(d.input.UnknownPatienceMs) * time.Millisecond
}

// sendingState is the state of a delivery that does not wait.
func (d *delivery) sendingState() string {
	if len(d.attempts) > 0 {
		return StateRetrying
	}
	return ""
}

// forget frees the event's bytes. A worker caches workflows that wait, and the SDK bounds them by
// number, whatever their events weigh.
func forget(event converter.RawValue) {
	if payload := event.Payload(); payload != nil {
		payload.Data = nil
	}
}

// continueAsNew goes on with a new history, where the present one has become long. Ids, memo and
// search attributes stay.
func (d *delivery) continueAsNew(ctx workflow.Context) error {
	// A cancellation that arrives meanwhile is for the next run to see.
	loading, _ := workflow.NewDisconnectedContext(ctx)
	loading = workflow.WithLocalActivityOptions(loading, workflow.LocalActivityOptions{StartToCloseTimeout: loadTimeout})
	var event converter.RawValue
	if err := workflow.ExecuteLocalActivity(loading, activities.LoadEventType).Get(loading, &event); err != nil {
		return err // never: it is tried until it succeeds
	}
	next := d.input
	next.Continued = &Continuation{Attempts: d.attempts, State: d.state}
	return workflow.NewContinueAsNewError(ctx, Delivery, next, event)
}

// learn takes over the log in the error of SendWebhook, if it says more.
func (d *delivery) learn(err error) {
	if log := logIn(err); len(log) >= len(d.attempts) && len(log) > 0 {
		d.attempts = activities.CompleteLog(log, len(log))
	}
}

// giveUp ends the delivery as undelivered.
func (d *delivery) giveUp(ctx workflow.Context, err error) error {
	d.learn(err)
	result := DeliveryResult{Attempts: d.attempts}
	cause := err
	if application, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		// The log goes into the workflow's own failure; its cause need not repeat it.
		cause = temporal.NewApplicationError(application.Message(), application.Type())
		if why := application.Type() + ": " + application.Message(); why != LastFailure(d.attempts) {
			result.Failure = why
		}
	}
	workflow.SetCurrentDetails(ctx, describeUndelivered(d.input, d.attempts))
	notifyUndelivered(ctx, d.input, result)
	return temporal.NewApplicationErrorWithOptions(undelivered(result), FailureUndelivered, temporal.ApplicationErrorOptions{
		NonRetryable: true,
		Cause:        cause,
		Details:      []any{result},
	})
}

// logIn is the attempt log in the error of SendWebhook: that of the last attempt or, of a worker
// that vanished, that of its last heartbeat.
func logIn(err error) (log []activities.Attempt) {
	// A log that can't be read counts as none.
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok && timeout.HasLastHeartbeatDetails() {
		_ = timeout.LastHeartbeatDetails(&log)
	} else if application, ok := errors.AsType[*temporal.ApplicationError](err); ok && application.HasDetails() {
		_ = application.Details(&log)
	}
	return log
}
