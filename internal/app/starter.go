package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"

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
		func(c *connection) readiness { return c.usable },
		newRouter,
		newServer,
	),
	fx.Invoke(func(lc fx.Lifecycle, s *server) {
		lc.Append(fx.StartStopHook(s.start, s.stop))
	}),
)

const (
	maxHeaderBytes    = 64 << 10
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
)

// server is the starter's HTTP server.
type server struct {
	http *http.Server
	log  *slog.Logger
	down fx.Shutdowner
}

func newServer(c config.Config, handler *mux.Router, log *slog.Logger, down fx.Shutdowner) *server {
	return &server{
		http: &http.Server{
			Addr:              c.Listen,
			Handler:           handler,
			MaxHeaderBytes:    maxHeaderBytes,
			ReadHeaderTimeout: readHeaderTimeout,
			ReadTimeout:       readTimeout,
			WriteTimeout:      writeTimeout,
			IdleTimeout:       idleTimeout,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
		log:  log,
		down: down,
	}
}

func (s *server) start(ctx context.Context) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.http.Addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("listen: %s is taken by another process; choose another address", s.http.Addr)
	}
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.log.Info("listening", "address", listener.Addr().String())
	go func() {
		if err := s.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("HTTP server stopped", "error", err)
			_ = s.down.Shutdown(fx.ExitCode(1))
		}
	}()
	return nil
}

func (s *server) stop(ctx context.Context) error {
	return s.http.Shutdown(ctx)
}
