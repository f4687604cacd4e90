package activities

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

const (
	// slowAttempt is how long a request may take in the express lane before its
	// destination counts as slow.
	slowAttempt = time.Second
	// laneClosed is for how long a destination that was slow or unable does not
	// take the express lane.
	laneClosed = 10 * time.Second
	// laneWidth bounds the requests to one destination that are in the express
	// lane, so that one that has just become slow holds few workflow tasks.
	laneWidth = 64
	// maxRecalled bounds how many outcomes a worker remembers.
	maxRecalled = 4096
)

// lanes is the express lane of each destination: who may make the first
// attempt of a delivery in the delivery's first workflow task. It goes by what
// this worker has seen itself.
type lanes struct {
	mu sync.Mutex
	of map[string]*lane

	// recalled are what the latest requests of the express lane came to, by run
	// id: a workflow task that could not be reported is done again, and then
	// must not send again. order is their run ids, the oldest at next.
	recalled map[string]firstAttempt
	order    []string
	next     int
}

// lane is the express lane of one destination.
type lane struct {
	underWay []time.Time // when the requests in the lane began
	closed   time.Time   // until when nobody enters
}

// firstAttempt is what the first attempt of a run came to; without attempts
// the express lane was closed.
type firstAttempt struct {
	result SendWebhookResult
	err    error
}

func newLanes() *lanes {
	return &lanes{of: make(map[string]*lane), recalled: make(map[string]firstAttempt)}
}

// enter is whether a request to the destination may take the express lane now;
// if so, leave must be called at its end.
func (l *lanes) enter(destination string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := l.lane(destination)
	if now.Before(lane.closed) || len(lane.underWay) >= laneWidth {
		return false
	}
	for _, started := range lane.underWay {
		if now.Sub(started) > slowAttempt {
			return false
		}
	}
	lane.underWay = append(lane.underWay, now)
	return true
}

// leave ends what enter began at that time.
func (l *lanes) leave(destination string, started time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := l.lane(destination)
	for i, s := range lane.underWay {
		if s.Equal(started) {
			lane.underWay[i] = lane.underWay[len(lane.underWay)-1]
			lane.underWay = lane.underWay[:len(lane.underWay)-1]
			return
		}
	}
}

// report tells how a request went, in the express lane or out of it.
func (l *lanes) report(destination string, able bool, took time.Duration, now time.Time) {
	if able && took <= slowAttempt {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lane(destination).closed = now.Add(laneClosed)
}

// lane must be called with the lock held.
func (l *lanes) lane(destination string) *lane {
	if l.of[destination] == nil {
		l.of[destination] = &lane{}
	}
	return l.of[destination]
}

// remember keeps what the first attempt of a run came to.
func (l *lanes) remember(runID string, first firstAttempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.order) < maxRecalled {
		l.order = append(l.order, runID)
	} else {
		delete(l.recalled, l.order[l.next])
		l.order[l.next] = runID
		l.next = (l.next + 1) % maxRecalled
	}
	l.recalled[runID] = first
}

// recall is what the first attempt of a run came to, if this worker made it.
func (l *lanes) recall(runID string) (firstAttempt, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	first, ok := l.recalled[runID]
	return first, ok
}

// express makes the first attempt in the express lane, once for each run.
func (a *Activities) express(ctx context.Context, in SendWebhookInput, event converter.RawValue) (SendWebhookResult, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	if in.Repeated {
		if first, ok := a.lanes.recall(run.RunID); ok {
			return first.result, first.err
		}
		lost := CompleteLog(nil, 1)
		begun, worker, err := a.Runs.FirstTask(ctx, run.ID, run.RunID)
		if err != nil {
			activity.GetLogger(ctx).Warn("it is unknown when the attempt began", "error", err)
		}
		lost[0].StartedAt, lost[0].Worker = begun.UTC(), worker
		return SendWebhookResult{}, handOver(FailureUnavailable, lost)
	}
	var first firstAttempt
	started := a.Now()
	if a.turns[in.Destination] == nil && a.lanes.enter(in.Destination, started) {
		first.result, first.err = a.send(ctx, in, event, nil)
		a.lanes.leave(in.Destination, started)
	}
	a.lanes.remember(run.RunID, first)
	return first.result, first.err
}

// takeOver fails as the attempt in the express lane did, so that Temporal
// counts it and waits for what is left of the wait.
func (a *Activities) takeOver(ctx context.Context, in SendWebhookInput) error {
	log := slices.Clone(in.Attempts)
	last := &log[len(log)-1]
	left := milliseconds(last.WaitMs)
	if last.WaitMs == 0 { // it was interrupted, and nobody drew the wait
		left = delay(in.Retries()[last.Number-1], 0, 0, a.Random())
		last.WaitMs = left.Milliseconds()
	} else {
		// The duration was cut to milliseconds, and no wait may be too short.
		// Another worker's clock may be behind.
		ended := last.StartedAt.Add(milliseconds(last.DurationMs + 1))
		left = min(left, left-a.Now().Sub(ended))
	}
	kind := last.Outcome
	if kind == OutcomeInterrupted {
		kind = FailureUnavailable
	}
	activity.RecordHeartbeat(ctx, log)
	// No delay at all would mean the policy's own.
	return retryable(kind, last.Error, max(left, time.Millisecond))
}

// handOver is the failure of the first attempt, which the workflow hands to
// Temporal's own retry policy.
func handOver(kind string, log []Attempt) error {
	return temporal.NewApplicationErrorWithOptions(log[len(log)-1].Error, kind, temporal.ApplicationErrorOptions{Details: []any{log}})
}
