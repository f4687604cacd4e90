package activities

import (
	"slices"
	"sync"
	"time"
)

const (
	// slowAttempt is how long a request may take in the express lane before its destination counts
	// as slow.
	slowAttempt = time.Second
	// laneClosed is for how long a destination that was slow or failed does not take the express
	// lane.
	laneClosed = 10 * time.Second
	// laneWidth bounds the requests to one destination that are in the express lane, so that one
	// that has just become slow holds few workflow tasks.
	laneWidth = 64
)

// lanes is the express lane of each destination: who may make the first attempt of a delivery in
// the delivery's first workflow task. It relies on the requests of this worker alone.
type lanes struct {
	mu sync.Mutex
	of map[string]*lane
}

// lane is the express lane of one destination.
type lane struct {
	underWay []time.Time // when the requests in the lane began
	closed   time.Time   // until when nobody enters
}

func newLanes() *lanes {
	return &lanes{of: make(map[string]*lane)}
}

// enter is whether a request to the destination may take the express lane now; if so, leave must be
// called at its end.
func (l *lanes) enter(destination string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	lane := l.lane(destination)
	if !lane.isOpen(now) {
		return false
	}
	lane.underWay = append(lane.underWay, now)
	return true
}

// isOpen is whether a request could enter.
func (l *lanes) isOpen(destination string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lane(destination).isOpen(now)
}

func (l *lane) isOpen(now time.Time) bool {
	if now.Before(l.closed) || len(l.underWay) >= laneWidth {
		return false
	}
	return !slices.ContainsFunc(l.underWay, func(started time.Time) bool { return now.Sub(started) > slowAttempt })
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
func (l *lanes) report(destination string, healthy bool, took time.Duration, now time.Time) {
	if healthy && took <= slowAttempt {
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
