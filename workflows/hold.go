package workflows

import (
	"cmp"
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Why a destination is held.
const (
	// HoldPaused is an operator who paused it.
	HoldPaused = "paused"
	// HoldFailing is a destination that has been failing for long.
	HoldFailing = "failing"
	// HoldReleasing is no hold: it releases deliveries that still wait for one
	// that is gone, and ends.
	HoldReleasing = "releasing"
)

// SetHeldSignal tells a Hold what someone wants; its argument is a bool. True
// pauses: it holds the destination, again if it is just being released, and
// turns a hold for failing into a pause, which no probe ends. False resumes.
// It is one signal, because the order of the two counts.
const SetHeldSignal = "SetHeld"

// SetFailingSignal tells a Hold that its destination fails again; it has no
// argument. While the hold releases, it holds again and probes; a destination
// that is held already stays as it is.
const SetFailingSignal = "SetFailing"

// Memo fields of a Hold, by which others see what it does.
const (
	// HoldStateMemo says whether deliveries are held or already released: one
	// of the HoldState constants.
	HoldStateMemo = "state"
	// HoldReasonMemo says why: HoldPaused or HoldFailing.
	HoldReasonMemo = "reason"
)

// States of a Hold.
const (
	// HoldStateHeld holds the destination's deliveries.
	HoldStateHeld = "held"
	// HoldStateReleasing lets deliveries through while the held ones are
	// released one after the other.
	HoldStateReleasing = "releasing"
)

// Names of the activities of a Hold.
const (
	ProbeDestinationActivity  = "ProbeDestination"
	ReleaseDeliveriesActivity = "ReleaseDeliveries"
)

// HoldCacheTTL is how long a worker goes by what it knows of a hold, so that
// not every attempt has to ask.
const HoldCacheTTL = time.Second

// HoldInput is the input of a Hold.
type HoldInput struct {
	// Destination is the name of the held destination.
	Destination string `json:"destination"`
	// Reason is HoldPaused or HoldFailing.
	Reason string `json:"reason"`
	// Notify is the start of the input of a notice, when a destination is to be
	// told of the hold.
	Notify *DeliveryInput `json:"notify,omitempty"`
}

// ReleaseInput is the input of ReleaseDeliveries.
type ReleaseInput struct {
	Destination string `json:"destination"`
	// Before is of holds begun by 0.2 and before, and counts no more.
	Before time.Time `json:"before,omitzero"`
}

// ReleaseResult is the result of ReleaseDeliveries, and its heartbeat.
type ReleaseResult struct {
	// Released counts the deliveries that were told to go on.
	Released int `json:"released"`
}

// The probing of a destination that is failing.
const (
	firstProbe, lastProbe = 30 * time.Second, 5 * time.Minute
	probeTimeout          = time.Minute
)

// The release of held deliveries.
const (
	// settle is the time after which no worker holds deliveries any more and
	// every held one can be found.
	settle           = 3 * HoldCacheTTL
	releaseHeartbeat = 30 * time.Second
	releaseTimeout   = 24 * time.Hour
)

// Hold is the hold of one destination: its deliveries wait while it runs. It
// ends when someone resumes or, when the destination was failing, by a probe
// that finds it able again; then it releases what waited, the oldest first.
func Hold(ctx workflow.Context, input HoldInput) (ReleaseResult, error) {
	h := &hold{input: input, setHeld: workflow.GetSignalChannel(ctx, SetHeldSignal)}
	if input.Reason == HoldFailing {
		notifyHeld(ctx, input)
	}
	for {
		if err := h.wait(ctx); err != nil {
			return ReleaseResult{}, err
		}
		released, again, err := h.release(ctx)
		if err != nil || !again {
			return released, err
		}
		h.input.Reason = HoldPaused
	}
}

type hold struct {
	input   HoldInput
	setHeld workflow.ReceiveChannel
}

// wait holds until the hold is to end.
func (h *hold) wait(ctx workflow.Context) error {
	err := h.showHeld(ctx)
	ended := err != nil
	probing, cancelProbe := workflow.WithCancel(ctx)
	defer cancelProbe()
	selector := workflow.NewSelector(ctx)
	selector.AddReceive(ctx.Done(), func(workflow.ReceiveChannel, bool) { ended = true })
	selector.AddReceive(h.setHeld, func(c workflow.ReceiveChannel, _ bool) {
		var held bool
		c.Receive(ctx, &held)
		switch {
		case !held:
			ended = true
		case h.input.Reason != HoldPaused:
			h.input.Reason = HoldPaused
			cancelProbe()
			err = h.showHeld(ctx)
		}
	})
	if h.input.Reason == HoldFailing {
		selector.AddFuture(h.probe(probing), func(f workflow.Future) {
			ended = f.Get(ctx, nil) == nil
		})
	}
	for !ended {
		selector.Select(ctx)
	}
	return cmp.Or(err, ctx.Err())
}

// probe asks the destination until it is able to take webhooks. The server's
// retries keep the history short, however long that takes.
func (h *hold) probe(ctx workflow.Context) workflow.Future {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: probeTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: firstProbe, MaximumInterval: lastProbe, BackoffCoefficient: 1.5},
	})
	return workflow.ExecuteActivity(ctx, ProbeDestinationActivity, h.input.Destination)
}

// release lets the held deliveries go on. It is over early, and again true,
// when the destination is paused in the meantime.
func (h *hold) release(ctx workflow.Context) (released ReleaseResult, again bool, err error) {
	if err := h.state(ctx, HoldStateReleasing, fmt.Sprintf("**Releasing** the deliveries to %s, the oldest first.", code(h.input.Destination))); err != nil {
		return released, false, err
	}
	if err := workflow.Sleep(ctx, settle); err != nil {
		return released, false, err
	}
	releasing, stop := workflow.WithCancel(workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: releaseTimeout,
		HeartbeatTimeout:    releaseHeartbeat,
		WaitForCancellation: true,
	}))
	defer stop()
	future := workflow.ExecuteActivity(releasing, ReleaseDeliveriesActivity, ReleaseInput{Destination: h.input.Destination, Before: workflow.Now(ctx)})
	over := false
	selector := workflow.NewSelector(ctx)
	selector.AddFuture(future, func(f workflow.Future) {
		err = f.Get(ctx, &released)
		over = true
	})
	selector.AddReceive(h.setHeld, func(c workflow.ReceiveChannel, _ bool) { c.Receive(ctx, &again) })
	for !over && !again {
		selector.Select(ctx)
	}
	// What has just arrived must not be lost with the workflow.
	for h.setHeld.ReceiveAsync(&again) {
		continue
	}
	if again {
		return released, true, nil
	}
	return released, false, err
}

func (h *hold) showHeld(ctx workflow.Context) error {
	return h.state(ctx, HoldStateHeld, fmt.Sprintf("**Held**, because it is %s. Deliveries to %s wait.", h.input.Reason, code(h.input.Destination)))
}

// state makes the hold's state known, to workers by its memo and to people by
// its current details.
func (h *hold) state(ctx workflow.Context, state, details string) error {
	workflow.SetCurrentDetails(ctx, details)
	return workflow.UpsertMemo(ctx, map[string]any{HoldStateMemo: state, HoldReasonMemo: h.input.Reason})
}
