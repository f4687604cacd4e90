package app

import (
	"context"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/gitbook-courier/courier/activities"
)

const (
	// maxActivities bounds the activities that a worker runs at once. Each holds its event in memory,
	// most of them a kilobyte. It is more than the SDK's default of 1000, because requests to a
	// destination with limits wait here for their turn, and must not take the others' places.
	maxActivities = 5000
	// maxAsking bounds those of them that ask something of Temporal at once. Further ones wait in
	// Temporal's task queue, where they cost nothing.
	maxAsking = 64
	// askAgain is the pause before another look at how many there are.
	askAgain = 5 * time.Millisecond
	// maxTasks bounds the workflow tasks, and the local activities, that a worker runs at once. It is
	// the SDK's default.
	maxTasks = 1000
)

// slots hands out the places for activities.
type slots struct {
	worker.SlotSupplier
	asking func() int64
}

// newTuner is the worker's tuner: it begins activities as fast as Temporal answers those under way.
func newTuner(a *activities.Activities) (worker.WorkerTuner, error) {
	of := make(map[string]worker.SlotSupplier)
	for name, size := range map[string]int{"activities": maxActivities, "workflows": maxTasks, "local": maxTasks, "nexus": 1, "sessions": 1} {
		fixed, err := worker.NewFixedSizeSlotSupplier(size)
		if err != nil {
			return nil, err
		}
		of[name] = fixed
	}
	return worker.NewCompositeTuner(worker.CompositeTunerOptions{
		WorkflowSlotSupplier:        of["workflows"],
		ActivitySlotSupplier:        slots{of["activities"], a.Asking},
		LocalActivitySlotSupplier:   of["local"],
		NexusSlotSupplier:           of["nexus"],
		SessionActivitySlotSupplier: of["sessions"],
	})
}

// ReserveSlot implements worker.SlotSupplier: it waits while many ask.
func (s slots) ReserveSlot(ctx context.Context, info worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	for s.asking() >= maxAsking {
		timer := time.NewTimer(askAgain)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-timer.C:
		}
	}
	return s.SlotSupplier.ReserveSlot(ctx, info)
}

// TryReserveSlot implements worker.SlotSupplier.
func (s slots) TryReserveSlot(info worker.SlotReservationInfo) *worker.SlotPermit {
	if s.asking() >= maxAsking {
		return nil
	}
	return s.SlotSupplier.TryReserveSlot(info)
}
