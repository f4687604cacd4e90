package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// stallTime is how long nothing may arrive before the receiver no longer waits.
const stallTime = 90 * time.Second

// arrival is one request that came in.
type arrival struct {
	// at is when its headers were there, answered when the answer went out.
	at, answered time.Time
	status       int
}

// answer is how the receiver answers the nth request, from 0, for an event at a path: with a
// status, after a wait.
type answer func(path string, n int) (status int, wait time.Duration)

// always200 takes everything at once.
func always200(string, int) (int, time.Duration) { return http.StatusOK, 0 }

// receiver is all destinations in one, told apart by their paths. It keeps when each event arrived.
type receiver struct {
	url      string
	answer   answer
	listener net.Listener
	serving  sync.WaitGroup

	mu       sync.Mutex
	arrivals map[string][]arrival
	taken    map[string]time.Time
	conns    map[net.Conn]struct{}
	closed   bool
	changed  chan struct{}
}

func newReceiver(a answer) (*receiver, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{
		url:      "http://" + listener.Addr().String(),
		answer:   a,
		listener: listener,
		arrivals: make(map[string][]arrival),
		taken:    make(map[string]time.Time),
		conns:    make(map[net.Conn]struct{}),
		changed:  make(chan struct{}, 1),
	}
	r.serving.Go(r.serve)
	return r, nil
}

// arrived keeps when a request for an event came, and returns which it is, from 0.
func (r *receiver) arrived(id string, at time.Time) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n = len(r.arrivals[id])
	r.arrivals[id] = append(r.arrivals[id], arrival{at: at})
	return n
}

// record keeps how a request is answered.
func (r *receiver) record(id string, n, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &r.arrivals[id][n]
	a.status, a.answered = status, time.Now()
	if _, known := r.taken[id]; status == http.StatusOK && !known {
		r.taken[id] = a.at
		select {
		case r.changed <- struct{}{}:
		default:
		}
	}
}

// await waits until the receiver has taken every event that was posted, and returns how many it has
// not taken when nothing has come for stallTime.
func (r *receiver) await(ctx context.Context, posts []post) (lost int) {
	timer := time.NewTimer(stallTime)
	defer timer.Stop()
	for rest := posts; ; {
		// Only the first of those that may be missing are looked at, so that waiting does not slow
		// what is measured.
		for len(rest) > 0 && r.has(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return 0
		}
		select {
		case <-r.changed:
			timer.Reset(stallTime)
			continue
		case <-timer.C:
		case <-ctx.Done():
		}
		for _, p := range rest {
			if !r.has(p) {
				lost++
			}
		}
		return lost
	}
}

func (r *receiver) has(p post) bool {
	_, ok := r.takenAt(p.id)
	return ok
}

// takenAt is when an event first arrived in a request that was answered 200.
func (r *receiver) takenAt(id string) (time.Time, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at, ok := r.taken[id]
	return at, ok
}

// requests are the requests for an event.
func (r *receiver) requests(id string) []arrival {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]arrival(nil), r.arrivals[id]...)
}

// last is when the last of the events arrived.
func (r *receiver) last(posts []post) (time.Time, error) {
	var last time.Time
	for _, p := range posts {
		if at, ok := r.takenAt(p.id); ok && at.After(last) {
			last = at
		}
	}
	if last.IsZero() {
		return last, errors.New("no event has arrived")
	}
	return last, nil
}
