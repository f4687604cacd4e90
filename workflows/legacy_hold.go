package workflows

import (
	"cmp"
	"fmt"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// run holds and releases until nothing is to be held any more.
func (h *legacyHold) run(ctx workflow.Context) (ReleaseResult, error) {
	if h.input.Reason == HoldFailing {
		notifyHeld(ctx, h.input)
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

// legacyHold is a hold that 0.1 or 0.2 began, and the code it goes on with.
type legacyHold struct {
	input   HoldInput
	setHeld workflow.ReceiveChannel
}

// wait holds until the hold is to end.
func (h *legacyHold) wait(ctx workflow.Context) error {
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

// probe asks the destination until it is healthy. The server's retries keep the history short,
// however long that takes.
func (h *legacyHold) probe(ctx workflow.Context) workflow.Future {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: probeTimeout,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: firstProbe, MaximumInterval: lastProbe, BackoffCoefficient: 1.5},
	})
	return workflow.ExecuteActivity(ctx, ProbeDestinationActivity, h.input.Destination)
}

// release lets the held deliveries go on. It is over early, and again true, when the destination is
// paused in the meantime.
func (h *legacyHold) release(ctx workflow.Context) (released ReleaseResult, again bool, err error) {
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
	// A signal that has just arrived must not be lost with the workflow.
	for h.setHeld.ReceiveAsync(&again) {
		continue
	}
	if again {
		return released, true, nil
	}
	return released, false, err
}

func (h *legacyHold) showHeld(ctx workflow.Context) error {
	return h.state(ctx, HoldStateHeld, fmt.Sprintf("**Held**, because it is %s. Deliveries to %s wait.", h.input.Reason, code(h.input.Destination)))
}

// state makes the hold's state known, to workers by its memo and to people by its current details.
func (h *legacyHold) state(ctx workflow.Context, state, details string) error {
	workflow.SetCurrentDetails(ctx, details)
	return workflow.UpsertMemo(ctx, map[string]any{HoldStateMemo: state, HoldReasonMemo: h.input.Reason})
}
