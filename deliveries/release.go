package deliveries

import (
	"context"
	"errors"
	"slices"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"golang.org/x/time/rate"

	"github.com/gitbook-courier/courier/workflows"
)

const (
	// releaseSettle is how long a delivery that was released may still say that it is held before
	// it is released again: its worker may be slow, and visibility lags behind.
	releaseSettle = 10 * time.Second
	// releaseLook is the pause before the next look for deliveries that say held.
	releaseLook = time.Second
)

// ReleaseDeliveries has every delivery to a destination that says that it is held go on, the oldest
// first, and looks again until none says so. It counts the deliveries that it has released.
func (a *Activities) ReleaseDeliveries(ctx context.Context, in workflows.ReleaseInput) (result workflows.ReleaseResult, err error) {
	defer translate(&err)
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &result); err != nil {
			return result, err
		}
	}
	r := release{a.store, rate.NewLimiter(releasesPerSecond, 1), make(map[string]time.Time), &result}
	for {
		activity.RecordHeartbeat(ctx, result)
		held, err := a.store.waiting(ctx, in.Destination, saysHeld)
		if err != nil {
			return result, err
		}
		if len(held) == 0 {
			err := r.legacy(ctx, in.Destination)
			return result, err
		}
		for _, delivery := range held {
			if err := r.release(ctx, delivery); err != nil {
				return result, err
			}
		}
		if err := pause(ctx, releaseLook); err != nil {
			return result, err
		}
	}
}

// release is a release under way.
type release struct {
	store    *Store
	limiter  *rate.Limiter
	released map[string]time.Time // when, by run id
	result   *workflows.ReleaseResult
}

// release has a delivery go on, unless that was done a moment ago.
func (r *release) release(ctx context.Context, d waiting) error {
	last, again := r.released[d.runID]
	if again && r.store.now().Sub(last) < releaseSettle {
		return nil
	}
	if err := next(ctx, r.limiter); err != nil {
		return err
	}
	err := r.store.client.SignalWorkflow(ctx, d.workflowID, d.runID, workflows.ReleaseSignal, nil)
	if notFound(err) {
		return nil // it is over
	}
	if err != nil {
		return err
	}
	r.released[d.runID] = r.store.now()
	if !again {
		r.result.Released++
	}
	activity.RecordHeartbeat(ctx, *r.result)
	return nil
}

// legacy releases the deliveries that 0.2 began, which do not say that they are held: nothing in
// their descriptions is due. It comes last, because it describes every delivery that is pending.
func (r *release) legacy(ctx context.Context, destination string) error {
	silent, err := r.store.waiting(ctx, destination, saysNothing)
	if err != nil {
		return err
	}
	for _, delivery := range silent {
		described, err := r.store.describe(ctx, delivery.workflowID, delivery.runID)
		if err != nil && !errors.Is(err, ErrUnknown) {
			return err
		}
		activity.RecordHeartbeat(ctx, *r.result)
		if phaseOf(described) != held {
			continue
		}
		if err := r.release(ctx, delivery); err != nil {
			return err
		}
	}
	return nil
}

// waiting is a delivery that waits.
type waiting struct {
	workflowID, runID string
	start             time.Time
}

// waiting are the running deliveries to a destination that a term finds, the oldest first.
func (s *Store) waiting(ctx context.Context, destination, term string) (found []waiting, err error) {
	err = s.each(ctx, s.to(destination)+" AND "+term, func(e *workflowpb.WorkflowExecutionInfo) error {
		found = append(found, waiting{e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), e.GetStartTime().AsTime()})
		return nil
	})
	slices.SortFunc(found, func(a, b waiting) int { return a.start.Compare(b.start) })
	return found, err
}

// pause waits, unless the worker is stopping or ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
