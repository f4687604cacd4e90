package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"go.temporal.io/sdk/client"
	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/metrics"
	"github.com/gitbook-courier/courier/starter/api"
	"github.com/gitbook-courier/courier/starter/codecserver"
	"github.com/gitbook-courier/courier/starter/configscreen"
	"github.com/gitbook-courier/courier/starter/console"
	"github.com/gitbook-courier/courier/starter/ingress"
	"github.com/gitbook-courier/courier/starter/respond"
	"github.com/gitbook-courier/courier/starter/server"
)

// Starter is the HTTP side: events come in, deliveries are looked at.
var Starter = fx.Module("starter",
	fx.Provide(
		fx.Private,
		newIngressStore,
		func(s *deliveries.Store) api.Deliveries { return s },
		func(h *deliveries.Holds) api.Destinations { return h },
		newScreen,
		ingress.New,
		deliveries.NewFigures,
		func(f *deliveries.Figures) api.Figures { return f },
		api.NewAPI,
		newCodecServer,
		newConsole,
		newServer,
	),
	fx.Provide(fx.Annotate(newReadiness, fx.ResultTags(`name:"starterReadiness"`))),
	fx.Provide(fx.Annotate(reloadStarter, fx.ResultTags(`group:"reload"`))),
	measureStarter,
	fx.Invoke(func(lc fx.Lifecycle, s *server.Server) {
		lc.Append(fx.StartStopHook(s.Start, s.Stop))
	}),
)

func newServer(o Options, in *ingress.Ingress, a *api.API, c *codecserver.Server, pages *console.Console, ready readiness, m *metrics.Metrics, t *traces, live *config.Live, down fx.Shutdowner) *server.Server {
	rooms := server.Rooms{Ingress: in, API: a, Codec: c, Console: pages, Ready: ready.Starter, Warning: deliversNothing(live), Metrics: m.Handler(), Development: o.Development, Wrap: t.incoming}
	return server.New(o.Config, rooms, o.Logger, time.Now, func() { _ = down.Shutdown(fx.ExitCode(1)) })
}

// reloadStarter gives the starter another configuration.
func reloadStarter(s *server.Server, store ingress.Store, screen ingress.Screen, m *metrics.Metrics, log *slog.Logger, now func() time.Time) func(config.Config) {
	return func(c config.Config) {
		in := ingress.New(c, store, screen, log, now)
		in.Count(m.Event)
		s.Replace(c, in)
	}
}

func newScreen(c config.Config, overlaps *deliveries.Overlaps) (ingress.Screen, error) {
	return configscreen.New(c.GitBookAPI, c.EgressProxy.Reveal(), overlaps)
}

func newConsole(o Options, s *deliveries.Store, h *deliveries.Holds, f *deliveries.Figures, namespace *deliveries.Namespace, now func() time.Time) *console.Console {
	options := console.Options{
		Deliveries: s, Destinations: h, Figures: f, EventTypes: gitbook.EventTypes(), Log: o.Logger, Now: now,
	}
	if ui := cmp.Or(o.Config.UIURL, o.UIURL); ui != "" {
		options.WorkflowURL = func(destination, eventID, runID string) string {
			return deliveries.WorkflowPage(ui, namespace.Name, destination, eventID, runID)
		}
	}
	return console.New(options)
}

func newCodecServer(p *codec.Codec, c config.Config, log *slog.Logger) *codecserver.Server {
	return codecserver.NewServer(p, c.UIOrigins, log)
}

// oldWorkers looks for workers of an older release. Only a starter that has its workers in other
// processes can have any.
type oldWorkers struct {
	fx.In
	Check func(context.Context) error `name:"oldWorkers" optional:"true"`
}

// separate is the part of a starter that has its workers in other processes.
var separate = fx.Provide(fx.Annotate(
	func(o Options, c client.Client, now func() time.Time) func(context.Context) error {
		return deliveries.NewWorkers(c, o.Logger, now).Check
	},
	fx.ResultTags(`name:"oldWorkers"`),
))

// newReadiness is one look at whether events can be stored.
func newReadiness(o Options, temporal *connection, workers oldWorkers) func(context.Context) error {
	return func(ctx context.Context) error {
		if o.Storable != nil {
			if err := o.Storable(ctx); err != nil {
				return respond.NewError(http.StatusServiceUnavailable, err.Error())
			}
		}
		if err := temporal.usable(ctx); err != nil || workers.Check == nil {
			return err
		}
		err := workers.Check(ctx)
		if old, ok := errors.AsType[*deliveries.OldWorkerError](err); ok {
			return respond.NewError(http.StatusServiceUnavailable, old.Error())
		}
		return err
	}
}

// newIngressStore refuses events while workers of an older release could take them.
func newIngressStore(s *deliveries.Store, workers oldWorkers) ingress.Store {
	if workers.Check == nil {
		return s
	}
	return checkedStore{s, workers.Check}
}

type checkedStore struct {
	ingress.Store
	check func(context.Context) error
}

// Start implements ingress.Store.
func (s checkedStore) Start(ctx context.Context, n deliveries.NewDelivery) (bool, error) {
	if err := s.check(ctx); err != nil {
		return false, err
	}
	return s.Store.Start(ctx, n)
}
