package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gitbook-courier/courier/starter/respond"
)

// busyAfter is what a caller is told, in seconds, who finds no place.
const busyAfter = "2"

// line lets a number of requests be served at once. Further ones wait for a
// while with their bodies unread, so that waiting takes no memory to speak of,
// the first first; then they get 503.
//
// A place is not for slow bodies: as soon as a request waits, those that are
// still coming in have only a moment left.
type line struct {
	places chan struct{}
	limits limits
	full   func()

	mu      sync.Mutex
	waiting int
	coming  map[*incoming]struct{} // the bodies that nobody has hurried yet
}

func newLine(places int, l limits, log *slog.Logger, remedy string) *line {
	said := rate.Sometimes{First: 1, Interval: 10 * time.Second}
	return &line{
		places: make(chan struct{}, places),
		limits: l,
		full: func() {
			said.Do(func() {
				log.Warn("too many requests at once; some were answered 503", "places", places, "remedy", remedy)
			})
		},
		coming: make(map[*incoming]struct{}),
	}
}

// guard serves next to as many requests as the line has places.
func (l *line) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.enter(r.Context()) {
			l.full()
			respond.Refuse(w, &respond.Error{
				Status:  http.StatusServiceUnavailable,
				Message: "too many requests at once; send it again",
				Header:  http.Header{"Retry-After": {busyAfter}},
			})
			return
		}
		defer func() { <-l.places }()
		// Without a body, net/http is reading ahead already, and a deadline
		// would look as if the client had gone.
		if r.ContentLength != 0 {
			body := l.receive(w, r)
			defer l.forget(body)
			r = r.WithContext(r.Context())
			r.Body = body
		}
		next.ServeHTTP(w, r)
	})
}

// enter takes a place, and is false when none became free in time.
func (l *line) enter(ctx context.Context) bool {
	select {
	case l.places <- struct{}{}:
		return true
	default:
	}
	l.hurry()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.waiting--
	}()
	patience := time.NewTimer(l.limits.line)
	defer patience.Stop()
	select {
	case l.places <- struct{}{}:
		return true
	case <-patience.C:
		return false
	case <-ctx.Done():
		return false
	}
}

// hurry counts one that waits, and shortens the time of all bodies.
func (l *line) hurry() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.waiting++
	for body := range l.coming {
		body.until(body.began.Add(l.limits.hurry))
		delete(l.coming, body)
	}
}

// unasked serves next, with little time for a body that it does not read: over
// HTTP/1, net/http reads such a body before it sends the answer, so that a slow
// one would hold its connection for long. A place in line gives a body time.
func unasked(l limits, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 && r.ProtoMajor == 1 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(l.hurry)) // net/http's own always knows deadlines
		}
		next.ServeHTTP(w, r)
	})
}

// incoming is a body on its way in.
type incoming struct {
	io.ReadCloser
	line  *line
	began time.Time
	until func(time.Time)
}

// receive gives a body its time.
func (l *line) receive(w http.ResponseWriter, r *http.Request) *incoming {
	control := http.NewResponseController(w)
	body := &incoming{
		ReadCloser: r.Body, line: l, began: time.Now(),
		// A connection that knows no deadlines is a test's.
		until: func(t time.Time) { _ = control.SetReadDeadline(t) },
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting > 0 {
		body.until(body.began.Add(l.limits.hurry))
	} else {
		body.until(body.began.Add(l.limits.body))
		l.coming[body] = struct{}{}
	}
	return body
}

func (l *line) forget(body *incoming) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.coming, body)
}

// Read implements io.Reader. After the end the connection's deadline is no
// longer the body's.
func (b *incoming) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.line.forget(b)
	}
	return n, err
}
