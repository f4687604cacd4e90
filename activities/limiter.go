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

// limiter bounds the requests to one destination.
type limiter struct {
	free chan struct{} // nil without a bound
	rate *rate.Limiter
}

func newLimiter(bounds Limits) *limiter {
	l := &limiter{rate: rate.NewLimiter(rate.Inf, 1)}
	if bounds.Concurrency > 0 {
		l.free = make(chan struct{}, bounds.Concurrency)
	}
	if bounds.PerSecond > 0 {
		l.rate = rate.NewLimiter(rate.Limit(bounds.PerSecond), 1)
	}
	return l
}

// errNoTurn is returned when the limits left no turn in time.
var errNoTurn = errors.New("the limits left no turn in time")

// wait waits for a turn until ctx is done, MaxTurnWait has passed or the worker
// stops. Without an error, done must be called at the request's end.
func (l *limiter) wait(ctx context.Context, stopping <-chan struct{}) (done func(), err error) {
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
	if l.free != nil {
		select {
		case l.free <- struct{}{}:
			done = func() { <-l.free }
		case <-ctx.Done():
			return nil, errNoTurn
		}
	}
	if err := l.rate.Wait(ctx); err != nil {
		done()
		// It says so at once when the turn would come too late.
		<-ctx.Done()
		return nil, errNoTurn
	}
	return done, nil
}
