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

	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/metrics"
	"github.com/gitbook-courier/courier/starter/server"
)

// admin serves metrics and probes of a program on an address of their own, without a token.
type admin struct {
	http *http.Server
	// byDefault is whether nobody has chosen the address.
	byDefault bool
	log       *slog.Logger
}

// readiness is one look at whether the program can do its work: the starter's, if it has one, and
// else whether Temporal can be used.
type readiness struct {
	fx.In
	Starter func(context.Context) error `name:"starterReadiness" optional:"true"`
}

func newAdmin(o Options, m *metrics.Metrics, temporal *connection, live *config.Live, of readiness) *admin {
	a := &admin{byDefault: o.Config.AdminListen == "", log: o.Logger}
	address := o.Config.AdminListen
	if a.byDefault {
		address = o.AdminListen
	}
	if address == "" || address == config.AdminOff {
		return a
	}
	ready := temporal.usable
	if of.Starter != nil {
		ready = of.Starter
	}
	a.http = &http.Server{
		Addr:              address,
		Handler:           server.Probes(ready, deliversNothing(live), m.Handler(), o.Logger),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelDebug),
	}
	return a
}

// deliversNothing is what a program that is ready says while nothing can be delivered.
func deliversNothing(live *config.Live) func() string {
	return func() string { return live.Current().DeliversNothing() }
}

// start listens. An address that nobody has chosen and that is taken, as by another standalone on
// the same machine, is no reason not to deliver.
func (a *admin) start(ctx context.Context) error {
	if a.http == nil {
		return nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.http.Addr)
	const remedy = "choose another address with --admin-listen, COURIER_ADMIN_LISTEN or the key admin_listen"
	switch taken := errors.Is(err, syscall.EADDRINUSE); {
	case taken && a.byDefault:
		a.log.WarnContext(ctx, "metrics are not served: the default address is taken by another process; "+remedy, "address", a.http.Addr)
		return nil
	case taken:
		return fmt.Errorf("admin_listen: %s is taken by another process; %s", a.http.Addr, remedy)
	case err != nil:
		return fmt.Errorf("admin_listen: %w", err)
	}
	a.log.InfoContext(ctx, "listening for metrics and probes", "address", listener.Addr().String())
	go func() {
		if err := a.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.log.Error("metrics are not served any more", "error", err)
		}
	}()
	return nil
}

func (a *admin) stop(ctx context.Context) error {
	if a.http == nil {
		return nil
	}
	return a.http.Shutdown(ctx)
}
