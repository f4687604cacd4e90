package server

import (
	"time"

	"github.com/gitbook-courier/courier/config"
)

// limits bound what clients can take of the starter, whatever they do. Tests set shorter ones.
type limits struct {
	// header is for a connection's TLS handshake, and again for the headers of each request.
	header time.Duration
	// queue is how long a request waits for a slot.
	queue time.Duration
	// body is how long a request that has a slot may take to send its body, and contended the same
	// while others wait for a slot.
	body, contended time.Duration
	// drain is how long the rest of a body that the answer did not need is read, and drainBytes how
	// much of it.
	drain      time.Duration
	drainBytes int64
	// write is for everything after the headers, until the answer is written.
	write time.Duration
	// idle is how long a connection may stay open between two requests.
	idle time.Duration
	// events and operators are the most requests of each kind that are served at once.
	events, operators int
	// connections is how many may be open.
	connections int
}

func newLimits(c config.Config) limits {
	return limits{
		// The three together are the 10 seconds that GitBook waits for an answer: the sender of a
		// body that came later would have given up.
		header: 3 * time.Second,
		queue:  2 * time.Second,
		body:   5 * time.Second,
		// Less than a request waits, so that slow bodies make room for it; more than a process with
		// a fraction of a core needs to get to a body that has arrived.
		contended: time.Second,
		// A client that writes its whole request before it reads the answer gets the answer.
		drain:      2 * time.Second,
		drainBytes: 4 << 20,
		// The longest is an operator's: the queue, the body, 15 seconds with Temporal, and 8 for
		// the answer.
		write: 30 * time.Second,
		// Longer than the minute or so after which proxies close connections, so that no request of
		// theirs meets a connection that closes.
		idle: 2 * time.Minute,

		events:    c.MaxRequests,
		operators: 32,
		// Connections beyond the slots are queued or idle, at some 20 KiB each.
		connections: c.MaxRequests + 1024,
	}
}

// read is how long a whole request may take to come in.
func (l limits) read() time.Duration { return l.header + l.queue + l.body }
