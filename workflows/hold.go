package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Why a destination is held.
const (
	// HoldPaused is a pause by an operator.
	HoldPaused = "paused"
	// HoldFailing is a destination that has been failing for long.
	HoldFailing = "failing"
	// HoldReleasing is no hold: it releases deliveries that still wait for one that is gone, and
	// ends.
	HoldReleasing = "releasing"
)

// SetHeldSignal pauses or resumes; its argument is a bool. True holds the destination, again if it
// is just being released, and turns a hold for failing into a pause, which no probe ends. False
// ends the hold. It is one signal, because the order of the two counts.
const SetHeldSignal = "SetHeld"

// SetFailingSignal says that the destination of a Hold fails again; it has no argument. While the
// hold releases, it holds again and probes; a destination that is held already stays as it is.
const SetFailingSignal = "SetFailing"

// Memo fields of a Hold, which show others its state.
const (
	// HoldStateMemo says whether deliveries are held or already released: one of the HoldState
	// constants.
	HoldStateMemo = "state"
	// HoldReasonMemo says why: HoldPaused or HoldFailing.
	HoldReasonMemo = "reason"
)

// States of a Hold.
const (
	// HoldStateHeld holds the destination's deliveries.
	HoldStateHeld = "held"
	// HoldStateReleasing lets deliveries through while the held ones are released one after the
	// other.
	HoldStateReleasing = "releasing"
)

// Names of the activities of a Hold.
const (
	ProbeDestinationActivity  = "ProbeDestination"
	ReleaseDeliveriesActivity = "ReleaseDeliveries"
)

// HoldCacheTTL is for how long a worker relies on the last look at a hold, so that not every
// attempt has to ask.
const HoldCacheTTL = time.Second

// HoldInput is the input of a Hold.
type HoldInput struct {
	// Destination is the name of the held destination.
	Destination string `json:"destination"`
	// Reason is HoldPaused, HoldFailing or HoldReleasing.
	Reason string `json:"reason"`
	// Notify is the start of the input of a notice, when a destination wants one of a hold for
	// failing.
	Notify *DeliveryInput `json:"notify,omitempty"`
	// Continued says that an earlier execution of the same hold continues here.
	Continued bool `json:"continued,omitempty"`
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
	// settle is the time after which workers no longer hold deliveries and every held one can be
	// found.
	settle           = 3 * HoldCacheTTL
	releaseHeartbeat = 30 * time.Second
	releaseTimeout   = 24 * time.Hour
)

// Hold is the hold of one destination: its deliveries wait while it is held. It ends when an
// operator resumes or, when the destination was failing, when a probe finds it healthy again; then
// it releases the deliveries that wait, the oldest first, until none is left. A hold that is
// cancelled does the same.
//
// Its states and their order are the table in hold_states.go.
func Hold(ctx workflow.Context, input HoldInput) (ReleaseResult, error) {
	if isLegacy(ctx) {
		h := &legacyHold{input: input, setHeld: workflow.GetSignalChannel(ctx, SetHeldSignal)}
		return h.run(ctx)
	}
	h := &hold{
		input:      input,
		state:      initialHoldState(input.Reason),
		setHeld:    workflow.GetSignalChannel(ctx, SetHeldSignal),
		setFailing: workflow.GetSignalChannel(ctx, SetFailingSignal),
	}
	return h.run(ctx)
}

// hold is the state of a running Hold.
type hold struct {
	input               HoldInput
	state               holdState
	setHeld, setFailing workflow.ReceiveChannel
	// cancelled receives once, when the workflow is cancelled.
	cancelled workflow.Channel
	// working is the context of the activities and timers of the present state, and leave ends
	// them.
	working workflow.Context
	leave   workflow.CancelFunc
	// Of the futures, those are set that the present state waits for.
	probed, settled, released workflow.Future
	result                    ReleaseResult
}

func (h *hold) run(ctx workflow.Context) (ReleaseResult, error) {
	if h.state == holdFailing && !h.input.Continued {
		notifyHeld(ctx, h.input)
	}
	// A hold that is cancelled still releases the deliveries that wait.
	working, _ := workflow.NewDisconnectedContext(ctx)
	h.cancelled = workflow.NewBufferedChannel(ctx, 1)
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		h.cancelled.SendAsync(true)
	})
	if err := h.enter(working); err != nil {
		return h.result, err
	}
	for h.state != holdOver {
		next, begins := h.state.through(h.receive(ctx))
		h.state = next
		if !begins {
			continue
		}
		if err := h.enter(working); err != nil {
			return h.result, err
		}
		if h.state == holdPaused && workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			h.input.Reason, h.input.Continued = HoldPaused, true
			return h.result, workflow.NewContinueAsNewError(ctx, Hold, h.input)
		}
	}
	return h.result, ctx.Err()
}

// receive waits for an input, and takes in every one that has come with it, those from outside
// first. All that arrives in one workflow task thus leads to one state, and nothing is left when
// the hold ends.
func (h *hold) receive(ctx workflow.Context) (inputs []holdInput) {
	take := func(input holdInput) { inputs = append(inputs, input) }
	selector := workflow.NewSelector(ctx)
	// Signals of two names lose their order within a task. An operator has the last word; a
	// destination that still fails is reported again.
	selector.AddReceive(h.setFailing, func(c workflow.ReceiveChannel, _ bool) {
		c.ReceiveAsync(nil)
		take(inputFailing)
	})
	selector.AddReceive(h.setHeld, func(c workflow.ReceiveChannel, _ bool) {
		var held bool
		if c.ReceiveAsync(&held); held {
			take(inputPause)
		} else {
			take(inputResume)
		}
	})
	selector.AddReceive(h.cancelled, func(c workflow.ReceiveChannel, _ bool) {
		c.ReceiveAsync(nil)
		take(inputResume)
	})
	if h.probed != nil {
		selector.AddFuture(h.probed, func(f workflow.Future) {
			if f.Get(ctx, nil) != nil {
				take(inputProbeFailed)
			} else {
				take(inputProbeOK)
			}
		})
	}
	if h.settled != nil {
		selector.AddFuture(h.settled, func(workflow.Future) { h.startRelease(h.working) })
	}
	if h.released != nil {
		selector.AddFuture(h.released, func(f workflow.Future) {
			if f.Get(ctx, &h.result) != nil {
				take(inputReleaseFailed)
			} else {
				take(inputReleased)
			}
		})
	}
	selector.Select(ctx)
	for selector.HasPending() {
		selector.Select(ctx)
	}
	return inputs
}

// enter begins the work of the present state, and ends that of the one before.
func (h *hold) enter(ctx workflow.Context) error {
	if h.leave != nil {
		h.leave()
	}
	h.probed, h.settled, h.released = nil, nil, nil
	ctx, h.leave = workflow.WithCancel(ctx)
	h.working = ctx
	switch h.state {
	case holdPaused:
		return h.show(ctx, HoldStateHeld, HoldPaused, fmt.Sprintf("**Held**, because it is paused. Deliveries to %s wait.", code(h.input.Destination)))
	case holdFailing:
		h.probed = h.probe(ctx)
		return h.show(ctx, HoldStateHeld, HoldFailing, fmt.Sprintf("**Held**, because it is failing. Deliveries to %s wait.", code(h.input.Destination)))
	case holdReleasing:
		h.settled = workflow.NewTimer(ctx, settle)
		return h.show(ctx, HoldStateReleasing, "", fmt.Sprintf("**Releasing** the deliveries to %s, the oldest first.", code(h.input.Destination)))
	default:
		return nil
	}
}

// show makes the state visible: in the memo to workers, in the current details to people. An empty
// reason leaves the one before.
func (h *hold) show(ctx workflow.Context, state, reason, details string) error {
	workflow.SetCurrentDetails(ctx, details)
	memo := map[string]any{HoldStateMemo: state}
	if reason != "" {
		memo[HoldReasonMemo] = reason
	}
	return workflow.UpsertMemo(ctx, memo)
}

// probe asks the destination until it is healthy. The server's retries keep the history short,
// however long that takes.
func (h *hold) probe(ctx workflow.Context) workflow.Future {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: probeTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: firstProbe, MaximumInterval: lastProbe, BackoffCoefficient: 1.5},
	})
	return workflow.ExecuteActivity(ctx, ProbeDestinationActivity, h.input.Destination)
}

// startRelease lets the held deliveries go on.
func (h *hold) startRelease(ctx workflow.Context) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: releaseTimeout,
		HeartbeatTimeout:    releaseHeartbeat,
	})
	h.settled = nil
	h.released = workflow.ExecuteActivity(ctx, ReleaseDeliveriesActivity, ReleaseInput{Destination: h.input.Destination})
}
