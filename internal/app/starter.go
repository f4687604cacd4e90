package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"

	"github.com/gorilla/mux"
	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/store"
	"github.com/gitbook-courier/courier/starter/deliveries"
	"github.com/gitbook-courier/courier/starter/ingress"
)

// Starter is the HTTP side: events come in, deliveries are looked at.
var Starter = fx.Module("starter",
	fx.Provide(
		fx.Private,
		func(s *store.Store) ingress.Store { return s },
		ingress.New,
		deliveries.NewAPI,
		newCodecServer,
		func(c *connection) readiness { return c.usable },
		newLimits,
		newRouter,
		newCertificates,
		newServer,
	),
	fx.Invoke(func(lc fx.Lifecycle, s *server) {
		lc.Append(fx.StartStopHook(s.start, s.stop))
	}),
)

// maxHeaderBytes bounds the headers of a request.
const maxHeaderBytes = 64 << 10

// server is the starter's HTTP server.
type server struct {
	http         *http.Server
	certificates *certificates // nil without TLS
	log          *slog.Logger
	down         fx.Shutdowner
}

func newServer(c config.Config, handler *mux.Router, l limits, certificates *certificates, log *slog.Logger, down fx.Shutdowner) *server {
	return &server{
		http: &http.Server{
			Addr:              c.Listen,
			Handler:           unasked(l, handler),
			MaxHeaderBytes:    maxHeaderBytes,
			ReadHeaderTimeout: l.header,
			ReadTimeout:       l.read(),
			WriteTimeout:      l.write,
			IdleTimeout:       l.idle,
			ConnState:         newConnections(l.connections).track,
			// What HTTP/2 takes in before a request has its place: these are
			// the least that the protocol recommends and net/http permits.
			HTTP2: &http.HTTP2Config{
				MaxConcurrentStreams:          100,
				MaxReceiveBufferPerConnection: 64 << 10,
				MaxReceiveBufferPerStream:     64 << 10,
			},
			ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		certificates: certificates,
		log:          log,
		down:         down,
	}
}

func (s *server) start(ctx context.Context) error {
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
		return fmt.Errorf("listen: %s is taken by another process; choose another address", s.http.Addr)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.log.Info("listening", "scheme", scheme, "address", listener.Addr().String())
	go func() {
		if err := serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP server stopped", "error", err)
			_ = s.down.Shutdown(fx.ExitCode(1))
		}
	}()
	return nil
}

func (s *server) stop(ctx context.Context) error {
	return s.http.Shutdown(ctx)
}
