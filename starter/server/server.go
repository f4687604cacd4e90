// Package server is the starter's HTTP server: the listener, TLS, the admission of requests and
// every route. It knows the rooms' handlers, not what they do.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/starter/ingress"
)

// maxHeaderBytes bounds the headers of a request.
const maxHeaderBytes = 64 << 10

// Server is the starter's HTTP server.
type Server struct {
	http         *http.Server
	gates        gates
	rooms        Rooms
	routes       atomic.Pointer[mux.Router]
	certificates *certificates // nil without TLS
	log          *slog.Logger
	failed       func()
}

// New makes the server of the rooms' routes, at the configuration's address. now is the clock by
// which certificates are read again; failed is called when the server can't go on. It does no I/O.
func New(c config.Config, rooms Rooms, log *slog.Logger, now func() time.Time, failed func()) *Server {
	l := newLimits(c)
	s := newServer(c, nil, l, newCertificates(c, log, now), log, failed)
	s.gates, s.rooms = newGates(l, log), rooms
	var routes http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.routes.Load().ServeHTTP(w, r) })
	if rooms.Wrap != nil {
		routes = rooms.Wrap(routes)
	}
	s.http.Handler = drained(l, routes)
	s.Replace(c, rooms.Ingress)
	return s
}

// Replace has the next requests meet another configuration's tokens and another ingress, which is
// that configuration's. Those under way go on with theirs.
func (s *Server) Replace(c config.Config, in *ingress.Ingress) {
	rooms := s.rooms
	rooms.Ingress = in
	s.routes.Store(newRouter(c, rooms, s.gates, s.log))
}

// Admission is how many requests are let in at once, by one of the server's two gates.
type Admission struct {
	// Gate is "events" or "operators".
	Gate string
	// InUse requests are served, of Slots that could be; Queued wait for a slot.
	InUse, Slots, Queued int
	// Refused counts the requests that got none.
	Refused int64
}

// Admissions are the states of the gates.
func (s *Server) Admissions() []Admission {
	return []Admission{s.gates.events.admission("events"), s.gates.operators.admission("operators")}
}

// CertificateExpiry is when the certificate that is served ends; false without TLS.
func (s *Server) CertificateExpiry() (time.Time, bool) {
	if s.certificates == nil {
		return time.Time{}, false
	}
	return s.certificates.expiry()
}

func newServer(c config.Config, handler http.Handler, l limits, certificates *certificates, log *slog.Logger, failed func()) *Server {
	return &Server{
		http: &http.Server{
			Addr:              c.Listen,
			Handler:           drained(l, handler),
			MaxHeaderBytes:    maxHeaderBytes,
			ReadHeaderTimeout: l.header,
			ReadTimeout:       l.read(),
			WriteTimeout:      l.write,
			IdleTimeout:       l.idle,
			ConnState:         newConnections(l.connections).track,
			// Bounds of HTTP/2 before a request has its slot: these are the least that the protocol
			// recommends and net/http permits.
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          100,
				MaxReceiveBufferPerConnection: 64 << 10,
				MaxReceiveBufferPerStream:     64 << 10,
			},
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		certificates: certificates,
		log:          log,
		failed:       failed,
	}
}

// Start listens, and serves in the background. An address that is taken or a certificate that
// cannot be used is an error.
func (s *Server) Start(ctx context.Context) error {
	scheme, serve := "http", s.http.Serve
	if s.certificates != nil {
		if err := s.certificates.open(); err != nil {
			return err
		}
		s.http.TLSConfig = s.certificates.config()
		scheme, serve = "https", func(l net.Listener) error { return s.http.ServeTLS(l, "", "") }
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.http.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen: %s is taken by another process; choose another address with --listen, COURIER_LISTEN or the key listen", s.http.Addr)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.log.Info("listening", "scheme", scheme, "address", listener.Addr().String())
	go func() {
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP server stopped", "error", err)
			s.failed()
		}
	}()
	return nil
}

// Stop takes no new requests, and waits for those under way until ctx is done.
func (s *Server) Stop(ctx context.Context) error {
	return s.http.Shutdown(ctx)
}
