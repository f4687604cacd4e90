package engine

import (
	"sync"
	"time"
)

const (
	// repeatAfter is the least time between two lines with the same message. A server in trouble, such
	// as one whose disk is full, logs thousands of them in a second.
	repeatAfter = 30 * time.Second
	// maxMessages bounds the messages that are remembered.
	maxMessages = 1000
)

// often lets a message be logged once in a while, and counts the times in between.
type often struct {
	now func() time.Time

	mu       sync.Mutex
	messages map[string]*repeated
}

type repeated struct {
	logged     time.Time
	suppressed int
}

func newOften(now func() time.Time) *often {
	return &often{now: now, messages: make(map[string]*repeated)}
}

// allow is whether a message is to be logged now, and how often it was not since the last time.
func (o *often) allow(message string) (suppressed int, logged bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	r, ok := o.messages[message]
	switch {
	case ok && now.Sub(r.logged) < repeatAfter:
		r.suppressed++
		return 0, false
	case ok:
		suppressed = r.suppressed
		*r = repeated{logged: now}
		return suppressed, true
	}
	if len(o.messages) == maxMessages {
		clear(o.messages)
	}
	o.messages[message] = &repeated{logged: now}
	return 0, true
}
