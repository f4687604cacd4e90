package app

import (
	"log/slog"
	"time"

	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/starter/api"
	"github.com/gitbook-courier/courier/starter/codecserver"
	"github.com/gitbook-courier/courier/starter/ingress"
	"github.com/gitbook-courier/courier/starter/server"
)

// Starter is the HTTP side: events come in, deliveries are looked at.
var Starter = fx.Module("starter",
	fx.Provide(
		fx.Private,
		func(s *deliveries.Store) (ingress.Store, api.Deliveries) { return s, s },
		func(h *deliveries.Holds) api.Destinations { return h },
		ingress.New,
		api.NewAPI,
		newCodecServer,
		newServer,
	),
	fx.Invoke(func(lc fx.Lifecycle, s *server.Server) {
		lc.Append(fx.StartStopHook(s.Start, s.Stop))
	}),
)

func newServer(o Options, in *ingress.Ingress, a *api.API, c *codecserver.Server, temporal *connection, down fx.Shutdowner) *server.Server {
	rooms := server.Rooms{Ingress: in, API: a, Codec: c, Ready: temporal.usable}
	return server.New(o.Config, rooms, o.Logger, time.Now, func() { _ = down.Shutdown(fx.ExitCode(1)) })
}

func newCodecServer(p *codec.Codec, c config.Config, log *slog.Logger) *codecserver.Server {
	return codecserver.NewServer(p, c.UIOrigins, log)
}
