package server

import (
	"time"

	"github.com/gitbook-courier/courier/config"
)

// limits bound what clients can take of the starter, whatever they do. Tests
// set shorter ones.
type limits struct {
	// header is for a connection's TLS handshake, and again for the headers of
	// each request.
	header time.Duration
	// line is how long a request waits for a place.
	line time.Duration
	// body is how long a request that has a place may take to send its body;
	// hurry is the same while others wait for one, and for a request that is
	// answered without its body.
	body, hurry time.Duration
	// write is for everything after the headers, until the answer is written.
	write time.Duration
	// idle is how long a connection may stay open between two requests.
	idle time.Duration
	// events and operators are how many requests of each kind are served at once.
	events, operators int
	// connections is how many may be open.
	connections int
}

func newLimits(c config.Config) limits {
	return limits{
		// The three together are the 10 seconds that GitBook waits for an
		// answer: a body that came later would be of a sender that has gone.
		header: 3 * time.Second,
		line:   2 * time.Second,
		body:   5 * time.Second,
		hurry:  500 * time.Millisecond,
		// The longest is an operator's: in line, the body, 15 seconds with
		// Temporal, and 8 left for the answer.
		write: 30 * time.Second,
		// Longer than the minute or so after which proxies let go, so that it
		// is them who close and no request meets a closing connection.
		idle: 2 * time.Minute,

		events:    c.MaxRequests,
		operators: 32,
		// Those beyond the places are in line or idle, at some 20 KiB each.
		connections: c.MaxRequests + 1024,
	}
}

// read is how long a whole request may take to come in.
func (l limits) read() time.Duration { return l.header + l.line + l.body }
