// Package app composes Courier's programs with fx, and is the only importer of it: the mains choose
// modules, the modules call plain constructors, and hooks open and close what does I/O.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	sdklog "go.temporal.io/sdk/log"
	"go.uber.org/dig"
	"go.uber.org/fx"
	"go.uber.org/fx/fxevent"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/metrics"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/internal/version"
)

// Options are what a program brings along.
type Options struct {
	// Name is the program's.
	Name string
	// Config is the validated configuration.
	Config config.Config
	// File is the file that Config comes from, which is read again when it changes; empty for none.
	// Load are the options that it was loaded with.
	File string
	Load config.Options
	// Temporal says how to reach Temporal. See TemporalOptions.
	Temporal client.Options
	// AdminListen is where metrics and probes are served when the configuration does not say; empty
	// is nowhere.
	AdminListen string
	// UIURL is where Temporal's UI is when the configuration does not say; empty when it is unknown.
	UIURL string
	// Logger takes all logs.
	Logger *slog.Logger
	// Failed, when not nil, reports that something outside the modules has ended without which they
	// cannot go on.
	Failed <-chan error
	// Storable, when not nil, finds out whether Temporal can store something. Its error is fit to be
	// shown. A program whose Temporal is elsewhere relies on its answer to a health check.
	Storable func(context.Context) error
	// Development says that the program is an integration's development target; see
	// server.Rooms.Development.
	Development bool
	// Ready, when not nil, is called once, when the worker is at work. A program without the
	// worker's module does not call it.
	Ready func()
}

// TemporalOptions are Temporal's own settings: the TEMPORAL_* environment variables and the
// profiles of its configuration file.
func TemporalOptions() (client.Options, error) {
	return envconfig.LoadDefaultClientOptions()
}

// Run runs a program until ctx is done or one of its modules cannot go on, then drains and stops it
// within the configuration's stop timeout.
func Run(ctx context.Context, o Options, program Program) error {
	log.SetOutput(standardLog{standardOutput(o.Config.LogFormat)})
	for _, warning := range o.Config.Warnings() {
		o.Logger.WarnContext(ctx, "configuration", "warning", warning)
	}
	app := fx.New(compose(o, program))
	if err := app.Err(); err != nil {
		return dig.RootCause(err)
	}
	// fx reports a signal of the operating system here too, with exit code 0.
	ended := app.Wait()
	if err := app.Start(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return dig.RootCause(err)
	}
	v := version.Of()
	o.Logger.InfoContext(ctx, "started", "program", o.Name, "version", v.Version, "commit", v.Commit, "temporal", v.Temporal)
	var err error
	select {
	case <-ctx.Done():
	case err = <-o.Failed:
	case signal := <-ended:
		if signal.ExitCode != 0 {
			err = errors.New("stopped; the log above says why")
		}
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.Config.StopTimeout())
	defer cancel()
	if stopErr := app.Stop(stopping); stopErr != nil && err == nil {
		err = fmt.Errorf("stop: %w", dig.RootCause(stopErr))
	}
	return err
}

// compose is the whole graph of a program.
func compose(o Options, program Program) fx.Option {
	return fx.Options(
		fx.Supply(o),
		base,
		program(o.Config),
		// The last, so that metrics and probes are served when everything else is.
		fx.Invoke(func(lc fx.Lifecycle, a *admin, r *reloader) {
			lc.Append(fx.StartStopHook(a.start, a.stop))
			lc.Append(fx.StartStopHook(r.start, r.stop))
		}),
		fx.WithLogger(func(log *slog.Logger) fxevent.Logger {
			events := &fxevent.SlogLogger{Logger: log}
			events.UseLogLevel(slog.LevelDebug)
			// Run returns every failure, so fx need not log it too.
			events.UseErrorLevel(slog.LevelDebug)
			return events
		}),
	)
}

// base is what every program has: its settings, the keys and Temporal.
var base = fx.Module("base",
	fx.Provide(
		func(o Options) (config.Config, *slog.Logger) { return o.Config, o.Logger },
		config.NewLive,
		config.Config.Keyring,
		newIdentity,
		newCodec,
		newMetrics,
		newTraces,
		newClient,
		newNamespace,
		newConnection,
		newStore,
		deliveries.NewHolds,
		newAdmin,
		newReloader,
		deliveries.NewOverlaps,
	),
	fx.Invoke(func(lc fx.Lifecycle, c *connection) {
		lc.Append(fx.StartStopHook(c.start, c.stop))
	}),
	fx.Provide(func() func() time.Time { return time.Now }),
)

// maxPayload is the largest payload that Temporal takes, in bytes.
const maxPayload = 2 << 20

// identity is how this process is known in Temporal and in the attempt log. No two processes share
// one, not even those that a container starts as number 1 one after the other: by it a worker knows
// its own earlier work.
type identity string

func newIdentity() identity {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return identity(fmt.Sprintf("%d@%s#%s", os.Getpid(), host, strings.ToLower(rand.Text()[:6])))
}

// newClient is the one client of a program. Its workers convert as it does.
func newClient(o Options, id identity, payloads *codec.Codec, m *metrics.Metrics, t *traces) (client.Client, error) {
	options := o.Temporal
	tracing, err := t.interceptors()
	if err != nil {
		return nil, err
	}
	options.Interceptors = append(slices.Clip(options.Interceptors), tracing...)
	options.MetricsHandler = sdkMetrics(m, o.Logger)
	options.Identity = string(id)
	options.DataConverter = payloads.DataConverter()
	options.FailureConverter = payloads.FailureConverter()
	// A large event is no reason to worry; what Temporal refuses is refused at the door.
	options.PayloadLimits = client.PayloadLimitOptions{PayloadSizeWarning: maxPayload}
	options.ConnectionOptions.DialOptions = append(slices.Clip(options.ConnectionOptions.DialOptions), deliveries.RequestIDs())
	options.Logger = sdkLogger{sdklog.NewStructuredLogger(o.Logger)}
	return client.NewLazyClient(options)
}

func newNamespace(c client.Client, o Options) *deliveries.Namespace {
	return deliveries.NewNamespace(c, o.Temporal.Namespace, o.Logger)
}

func newStore(o Options, live *config.Live, c client.Client, namespace *deliveries.Namespace, payloads *codec.Codec, keys *seal.Keyring, now func() time.Time) *deliveries.Store {
	return deliveries.New(deliveries.Options{
		Client: c, Namespace: namespace.Name, Payloads: payloads.DataConverter(), Config: live, Keys: keys, Log: o.Logger, Now: now,
	})
}
