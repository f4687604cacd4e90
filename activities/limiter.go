package activities

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// maxTurnWait is how long an execution waits in the worker for its turn, well within
	// HeartbeatTimeout. One whose turn is further away comes back by then.
	maxTurnWait = 8 * time.Second
	// An execution comes back within these bounds: soon enough to notice that the limits have
	// changed, and the later the more of them there are, so that they cost Temporal little.
	minComeBack, maxComeBack, perAway = 30 * time.Second, 5 * time.Minute, 100 * time.Millisecond
	// typicalRequest is how long a request takes until some have been seen.
	typicalRequest = 100 * time.Millisecond
)

// Limits bound the requests to a destination in one worker. Zero means none.
type Limits struct {
	// Concurrency is how many requests are under way at once.
	Concurrency int
	// PerSecond is how many requests begin in a second.
	PerSecond float64
}

// limiter bounds the requests to one destination. Executions of SendWebhook wait in the worker as
// long as their turn is near. The others come back at times that are as far apart as turns are, so
// that a long backlog waits in Temporal.
type limiter struct {
	free chan struct{} // nil without a bound
	rate *rate.Limiter
	// perTurn is the time between two turns by the rate, 0 without a bound.
	perTurn time.Duration
	now     func() time.Time

	mu      sync.Mutex
	waiting int
	took    time.Duration // a request, on average
	// comeBack is when the latest execution comes back that was sent away. away counts those sent
	// away since began, and awayBefore in as long a time before.
	comeBack         time.Time
	began            time.Time
	away, awayBefore int
}

func newLimiter(bounds Limits, now func() time.Time) *limiter {
	l := &limiter{rate: rate.NewLimiter(rate.Inf, 1), now: now, took: typicalRequest}
	if bounds.Concurrency > 0 {
		l.free = make(chan struct{}, bounds.Concurrency)
	}
	if bounds.PerSecond > 0 {
		l.rate = rate.NewLimiter(rate.Limit(bounds.PerSecond), 1)
		l.perTurn = time.Duration(float64(time.Second) / bounds.PerSecond)
	}
	return l
}

// wait waits for a turn while it is near, until ctx is done or the worker stops. done must be
// called at the request's end. Without a turn done is nil, and comeBack is after how long to try
// again.
func (l *limiter) wait(ctx context.Context, stopping <-chan struct{}) (done func(), comeBack time.Duration) {
	if comeBack := l.enter(); comeBack > 0 {
		return nil, comeBack
	}
	defer l.leave()
	ctx, cancel := context.WithTimeout(ctx, maxTurnWait)
	defer cancel()
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-stopping:
			cancel()
		case <-stop:
		}
	}()
	release := func() {}
	if l.free != nil {
		select {
		case l.free <- struct{}{}:
			release = func() { <-l.free }
		case <-ctx.Done():
			return nil, l.sendAway()
		}
	}
	if err := l.rate.Wait(ctx); err != nil {
		release()
		return nil, l.sendAway()
	}
	began := l.now()
	return func() {
		release()
		l.observe(l.now().Sub(began))
	}, 0
}

// enter joins those that wait, unless the turn is too far away.
func (l *limiter) enter() (comeBack time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Duration(l.waiting)*l.interval() > maxTurnWait {
		return l.later()
	}
	l.waiting++
	return 0
}

func (l *limiter) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting--
}

func (l *limiter) sendAway() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.later()
}

// later is after how long the next one comes back that is sent away: as far after the one before as
// turns are apart, or closer, where they are so many that all would not come back in time. It must
// be called with the lock held.
func (l *limiter) later() time.Duration {
	now, interval := l.now(), l.interval()
	within := l.countAway(now)
	l.comeBack = l.comeBack.Add(min(interval, within/time.Duration(max(l.away, l.awayBefore))))
	soonest := now.Add(max(soon, time.Duration(l.waiting)*interval/2))
	if l.comeBack.Before(soonest) || l.comeBack.After(now.Add(within)) {
		l.comeBack = soonest
	}
	return l.comeBack.Sub(now)
}

// countAway counts one that is sent away, and returns the time within which each of them comes
// back. It must be called with the lock held.
func (l *limiter) countAway(now time.Time) time.Duration {
	within := func() time.Duration {
		return max(minComeBack, min(maxComeBack, time.Duration(max(l.away, l.awayBefore))*perAway))
	}
	if now.Sub(l.began) > within() {
		l.began, l.away, l.awayBefore = now, 0, l.away
	}
	l.away++
	return within()
}

// interval is the time between two turns. It must be called with the lock held.
func (l *limiter) interval() time.Duration {
	interval := l.perTurn
	if l.free != nil {
		interval = max(interval, l.took/time.Duration(cap(l.free)))
	}
	return interval
}

// observe takes how long a request took into the average.
func (l *limiter) observe(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took += (took - l.took) / 8
}
