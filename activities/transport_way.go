package activities

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// maxUnused is for how long a connection may be without its first request: longer than any
	// attempt.
	maxUnused = 45 * time.Second
	// renewedFor is for how long an origin keeps connections of its own after it left a request
	// without an answer: until the older ones have ended, which they do a maxIdle after their last
	// request.
	renewedFor = 2 * maxIdle
)

// way is an http.Transport from which no connection that left a request without an answer takes
// another one.
//
// Of such an origin, all connections made before count as suspect, because what cut one off, such
// as a failover, has cut off the others too. net/http can't close those of one origin, so the
// origin gets a transport of its own, and the requests under way on the older connections are left
// in peace.
type way struct {
	base *http.Transport

	mu      sync.Mutex
	renewed map[string]renewal // by origin
}

// renewal is the transport of an origin since a request had no answer.
type renewal struct {
	transport *http.Transport
	since     time.Time
}

func newWay(base *http.Transport) *way {
	return &way{base: base, renewed: make(map[string]renewal)}
}

// RoundTrip sends one request. Its error is a sendError.
func (w *way) RoundTrip(req *http.Request) (*http.Response, error) {
	origin := req.URL.Scheme + "://" + req.URL.Host
	transport := w.transport(origin)
	t := &trip{ctx: req.Context()}
	ctx := context.WithValue(t.ctx, tripKey{}, t)
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: t.gotConn, TLSHandshakeDone: t.handshakeDone})
	resp, err := transport.RoundTrip(req.WithContext(ctx))
	stage := t.end(err != nil)
	if err == nil {
		return resp, nil
	}
	if stage == stageRequest {
		w.renew(origin, transport)
	}
	return nil, &sendError{err: err, stage: stage, isTLS: req.URL.Scheme == "https"}
}

// transport is the one that has the connections to an origin.
func (w *way) transport(origin string) *http.Transport {
	w.mu.Lock()
	defer w.mu.Unlock()
	own, ok := w.renewed[origin]
	switch {
	case !ok:
		return w.base
	case time.Since(own.since) > renewedFor:
		delete(w.renewed, origin)
		own.transport.CloseIdleConnections()
		return w.base
	}
	return own.transport
}

// renew leaves the connections to an origin behind, unless that was done since the request on used
// began.
func (w *way) renew(origin string, used *http.Transport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for other, own := range w.renewed {
		if time.Since(own.since) > renewedFor {
			delete(w.renewed, other)
			own.transport.CloseIdleConnections()
		}
	}
	own, ok := w.renewed[origin]
	if ok && own.transport != used || !ok && used != w.base {
		return
	}
	if ok {
		own.transport.CloseIdleConnections()
	}
	w.renewed[origin] = renewal{w.base.Clone(), time.Now()}
}

// trip is one request and the connections that were made for it. net/http makes them apart from the
// request, so that another may use them; those that never came to be used would outlive it.
type trip struct {
	ctx context.Context

	mu    sync.Mutex
	over  bool
	stage stage
	links []*link
}

type tripKey struct{}

func (t *trip) gotConn(info httptrace.GotConnInfo) {
	for conn := info.Conn; conn != nil; {
		if l, ok := conn.(*link); ok {
			l.take()
			break
		}
		layer, ok := conn.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		conn = layer.NetConn()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stage = stageRequest
}

func (t *trip) handshakeDone(_ tls.ConnectionState, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		t.stage = max(t.stage, stageTLS)
	}
}

// add counts a connection that was made, unless the trip is over.
func (t *trip) add(l *link) (added bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.over {
		t.links = append(t.links, l)
		t.stage = max(t.stage, stageConnected)
	}
	return !t.over
}

// end is called when the request has its reply or has failed.
func (t *trip) end(failed bool) stage {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	if failed {
		for _, l := range t.links {
			if !l.taken.Load() {
				_ = l.Close()
			}
		}
	}
	return t.stage
}

// link is a connection that ends unless a request takes it soon.
type link struct {
	net.Conn
	taken  atomic.Bool
	unused *time.Timer
}

func (l *link) take() {
	l.taken.Store(true)
	l.unused.Stop()
}

func (l *link) Close() error {
	l.unused.Stop()
	return l.Conn.Close()
}

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// tracked dials for a trip, and no longer than that.
func tracked(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		t, ok := ctx.Value(tripKey{}).(*trip)
		if !ok {
			return dial(ctx, network, address)
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(t.ctx, cancel)()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, withoutPort(ctx, err)
		}
		l := &link{Conn: conn, unused: time.AfterFunc(maxUnused, func() { _ = conn.Close() })}
		if !t.add(l) {
			_ = l.Close()
			return nil, context.Canceled
		}
		return l, nil
	}
}

// errNoPort is a dial for which this machine had no free port.
var errNoPort = errors.New("no free port")

// withoutPort tells the two meanings of EADDRNOTAVAIL apart: all ports to the destination are in
// use, or this machine has no address from which to reach it, which UDP, with ports of its own and
// nothing sent, lacks too.
func withoutPort(ctx context.Context, err error) error {
	op, ok := errors.AsType[*net.OpError](err)
	if !ok || !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return err
	}
	to, ok := op.Addr.(*net.TCPAddr)
	if !ok {
		return err
	}
	probe, probeErr := new(net.Dialer).DialContext(ctx, "udp", to.String())
	if probeErr != nil {
		return err
	}
	_ = probe.Close()
	return errNoPort
}
