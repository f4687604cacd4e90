package server

import (
	"container/list"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gitbook-courier/courier/starter/respond"
)

// busyAfter is the Retry-After, in seconds, of a request that gets no slot.
const busyAfter = "2"

// gate lets a number of requests be served at once. Further ones wait in a queue, first in, first
// out, with their bodies unread, so that waiting takes little memory; after a while they get 503.
//
// A slow body does not keep its slot while others wait: as soon as a request is queued, the bodies
// that are still coming in have only a moment left.
type gate struct {
	limits limits
	log    *slog.Logger
	full   rate.Sometimes

	mu      sync.Mutex
	refused int64
	limit   concurrencyLimit
	inUse   int
	queue   list.List               // of chan struct{}, which is closed when its request has a slot
	bodies  map[*timedBody]struct{} // those that have the whole time of a body
}

func newGate(limit concurrencyLimit, l limits, log *slog.Logger) *gate {
	return &gate{
		limits: l,
		log:    log,
		full:   rate.Sometimes{First: 1, Interval: 10 * time.Second},
		limit:  limit,
		bodies: make(map[*timedBody]struct{}),
	}
}

// guard serves next in as many requests at once as there are slots.
func (g *gate) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !g.enter(r.Context()) {
			g.full.Do(g.warn)
			respond.Refuse(w, &respond.Error{
				Status:  http.StatusServiceUnavailable,
				Message: "too many requests at once; send it again",
				Header:  http.Header{"Retry-After": {busyAfter}},
			})
			return
		}
		defer g.leave()
		// Without a body, net/http already reads ahead, and a deadline would look as if the client
		// had gone.
		if r.ContentLength != 0 {
			body := g.receive(w, r)
			defer g.forget(body)
			r = r.WithContext(r.Context())
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// observe takes how long the store took for one delivery. An error that came quickly says nothing
// of the load.
func (g *gate) observe(latency time.Duration, err error) {
	if err != nil && latency <= targetLatency {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.limit.observe(time.Now(), latency, g.inUse)
	g.admit()
}

// enter takes a slot, and is false when none became free in time.
func (g *gate) enter(ctx context.Context) bool {
	g.mu.Lock()
	ticket := make(chan struct{})
	element := g.queue.PushBack(ticket)
	g.admit()
	if g.queue.Len() > 0 {
		g.hurry()
	}
	g.mu.Unlock()

	patience := time.NewTimer(g.limits.queue)
	defer patience.Stop()
	select {
	case <-ticket:
		return true
	case <-patience.C:
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-ticket: // in this very moment
		return true
	default:
		g.queue.Remove(element)
		g.refused++
		return false
	}
}

// admission is the gate's state.
func (g *gate) admission(name string) Admission {
	g.mu.Lock()
	defer g.mu.Unlock()
	return Admission{Gate: name, InUse: g.inUse, Slots: g.limit.slots(), Queued: g.queue.Len(), Refused: g.refused}
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inUse--
	g.admit()
}

// admit gives the free slots to those who have waited longest. The caller holds mu.
func (g *gate) admit() {
	for g.queue.Len() > 0 && g.inUse < g.limit.slots() {
		close(g.queue.Remove(g.queue.Front()).(chan struct{}))
		g.inUse++
	}
}

// warn says why requests were refused.
func (g *gate) warn() {
	g.mu.Lock()
	slots, most := g.limit.slots(), int(g.limit.most)
	g.mu.Unlock()
	remedy := "send less at once, or raise max_requests"
	if slots < most {
		remedy = "Temporal is slow to store deliveries; give it or this process more CPU, or a faster disk"
	}
	g.log.Warn("too many requests at once; some were answered 503", "slots", slots, "of", most, "remedy", remedy)
}

// hurry shortens the time of all bodies. The caller holds mu.
func (g *gate) hurry() {
	for body := range g.bodies {
		body.until(body.began.Add(g.limits.contended))
		delete(g.bodies, body)
	}
}

// timedBody is a request's body with a time until which it must have come in.
type timedBody struct {
	io.ReadCloser
	gate  *gate
	began time.Time
	until func(time.Time)
}

// receive starts the time of a body.
func (g *gate) receive(w http.ResponseWriter, r *http.Request) *timedBody {
	control := http.NewResponseController(w)
	body := &timedBody{
		ReadCloser: r.Body, gate: g, began: time.Now(),
		// Only a test's connection knows no deadlines.
		until: func(t time.Time) { _ = control.SetReadDeadline(t) },
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.queue.Len() > 0 {
		body.until(body.began.Add(g.limits.contended))
	} else {
		body.until(body.began.Add(g.limits.body))
		g.bodies[body] = struct{}{}
	}
	return body
}

func (g *gate) forget(body *timedBody) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.bodies, body)
}

// Read implements io.Reader. After the body's end its deadline is lifted: net/http reads on to see
// whether the client is still there, and would take a deadline that passes for a client that is
// gone.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.gate.forget(b)
	}
	if errors.Is(err, io.EOF) {
		b.until(time.Time{})
	}
	return n, err
}
