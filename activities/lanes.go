package activities

import (
	"sync"
	"time"
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
