package deliveries

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// reconcileInterval is the least pause between two looks for deliveries that wait in vain. Each
// pause is up to a quarter longer, so that workers that were started together do not look together.
const reconcileInterval = 2 * time.Minute

// Run looks for deliveries that wait although nothing holds them any more, now and every two
// minutes, and has them go on. Signals can be lost: a hold may have been terminated, and a
// destination becomes known by a worker's start. It returns when ctx is done.
func (h *Holds) Run(ctx context.Context) {
	for {
		if err := h.reconcile(ctx); err != nil && ctx.Err() == nil {
			h.store.log.Warn("cannot look for deliveries that wait in vain; looking again later", "error", err)
		}
		timer := time.NewTimer(reconcileInterval + rand.N(reconcileInterval/4))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// reconcile is one look.
func (h *Holds) reconcile(ctx context.Context) error {
	if err := h.reconcileHeld(ctx); err != nil {
		return err
	}
	return h.reconcileUnknown(ctx)
}

// reconcileHeld starts a releasing hold for every destination that has held deliveries, but no
// hold.
func (h *Holds) reconcileHeld(ctx context.Context) error {
	names, err := h.store.destinationsOf(ctx, saysHeld, nil)
	if err != nil {
		return err
	}
	for _, name := range h.store.allCanonical(names) {
		hold, err := h.store.hold(ctx, name)
		if err != nil {
			return err
		}
		if hold.state != "" {
			continue // it releases them when it ends
		}
		released, err := h.store.releaseHeld(ctx, name)
		if err != nil {
			return err
		}
		if released {
			h.store.log.Info("deliveries were held without a hold, and are released", "destination", name)
		}
	}
	return nil
}

// reconcileUnknown has every delivery look again that waits for a worker which knows its
// destination, when this one does.
func (h *Holds) reconcileUnknown(ctx context.Context) error {
	names, err := h.store.destinationsOf(ctx, saysUnknown, nil)
	if err != nil {
		return err
	}
	limiter := rate.NewLimiter(releasesPerSecond, 1)
	for _, name := range h.store.allCanonical(names) {
		if !h.store.knows(name) {
			continue
		}
		found, err := h.store.waiting(ctx, name, saysUnknown)
		if err != nil {
			return err
		}
		for _, d := range found {
			if err := limiter.Wait(ctx); err != nil {
				return err
			}
			err := h.store.client.SignalWorkflow(ctx, d.workflowID, d.runID, workflows.ReleaseSignal, nil)
			if err != nil && !notFound(err) {
				return err
			}
		}
	}
	return nil
}

// knows is whether this process's configuration has a destination, or accepts the installation that
// it is.
func (s *Store) knows(name string) bool {
	if id, ok := strings.CutPrefix(name, activities.InstallationPrefix); ok {
		_, accepted := s.config().Installation(id)
		return accepted
	}
	_, ok := s.configured(name)
	return ok
}
