package activities

import (
	"context"
	"errors"
	"time"

	"golang.org/x/time/rate"
)

// MaxTurnWait is how long a request to a destination with limits waits in the
// worker for its turn before the delivery queues up again.
const MaxTurnWait = 2 * time.Minute

// Limits bound the requests to a destination in one worker. Zero means none.
type Limits struct {
	// Concurrency is how many requests are under way at once.
	Concurrency int
	// PerSecond is how many requests begin in a second.
	PerSecond float64
}

// turns hands out the turns of one destination.
type turns struct {
	free chan struct{} // nil without a bound
	rate *rate.Limiter
}

func newTurns(l Limits) *turns {
	t := &turns{rate: rate.NewLimiter(rate.Inf, 1)}
	if l.Concurrency > 0 {
		t.free = make(chan struct{}, l.Concurrency)
	}
	if l.PerSecond > 0 {
		t.rate = rate.NewLimiter(rate.Limit(l.PerSecond), 1)
	}
	return t
}

// errNoTurn is that no turn came.
var errNoTurn = errors.New("no turn came")

// wait waits for a turn until ctx is done, MaxTurnWait has passed or the worker
// stops. Without an error, done must be called at the request's end.
func (t *turns) wait(ctx context.Context, stopping <-chan struct{}) (done func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, MaxTurnWait)
	defer cancel()
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	done = func() {}
	if t.free != nil {
		select {
		case t.free <- struct{}{}:
			done = func() { <-t.free }
		case <-ctx.Done():
			return nil, errNoTurn
		}
	}
	if err := t.rate.Wait(ctx); err != nil {
		done()
		// It says so at once when the turn would come too late.
		<-ctx.Done()
		return nil, errNoTurn
	}
	return done, nil
}
