// Command standalone is all of Courier in one process: a Temporal server on SQLite files, its UI,
// the worker and the HTTP starter. Without a configuration file it adds a demo receiver as the one
// destination.
package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/gitbook-courier/courier/app"
	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/cli"
	"github.com/gitbook-courier/courier/standalone/datadir"
	"github.com/gitbook-courier/courier/standalone/demo"
	"github.com/gitbook-courier/courier/standalone/engine"
	"github.com/gitbook-courier/courier/workflows"
)

const name = "courier"

func main() {
	if args := os.Args[1:]; cli.Has(args) {
		os.Exit(cli.Main(name, args))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal a second one kills.
	context.AfterFunc(ctx, stop)
	os.Exit(app.Exit(os.Stderr, name, run(ctx, os.Args[1:])))
}

// settings are the flags, each with its environment variable.
type settings struct {
	config, data, uiListen, temporalListen, demoListen string
	// options are those that win over the configuration file.
	options config.Options
	// dev is the integration to develop; nil when there is none.
	dev *development
}

func parse(args []string) (settings, error) {
	var s settings
	flags := app.NewFlags(name)
	if len(args) > 0 && args[0] == devCommand {
		args, s.dev = args[1:], new(development)
		s.dev.flags(flags)
	}
	file := flags.Config()
	flags.Listen(&s.options)
	flags.Variable(&s.data, "data", "COURIER_DATA", "data", "the `folder` of the database and the keys")
	flags.Variable(&s.uiListen, "ui-listen", "COURIER_UI_LISTEN", "127.0.0.1:8233", "the Temporal UI's `address`")
	flags.Variable(&s.temporalListen, "temporal-listen", "COURIER_TEMPORAL_LISTEN", "127.0.0.1:7233", "Temporal's gRPC `address`")
	flags.Variable(&s.demoListen, "demo-listen", "COURIER_DEMO_LISTEN", "127.0.0.1:9000", "the demo receiver's `address`, used without a configuration file")
	err := flags.Parse(args, os.Stdout)
	s.config = *file
	return s, err
}

func run(ctx context.Context, args []string) (err error) {
	if len(args) > 0 && args[0] == backupCommand {
		return backup(ctx, args[1:])
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	if s.dev != nil {
		if _, err := s.dev.client(); err != nil {
			return err
		}
	}
	options, err := configOptions(s)
	if err != nil {
		return err
	}
	c, err := config.Load(s.config, options)
	if err != nil {
		return err
	}
	log := app.NewLogger(os.Stderr, c.LogFormat)
	defer func() {
		if err == nil {
			log.InfoContext(ctx, "stopped")
		}
	}()
	if err := limitMemory(); err != nil {
		log.Warn("the garbage collector has no limit", "error", err)
	}
	temporal, err := startEngine(ctx, s, c, log)
	if err != nil {
		return err
	}
	defer func() { err = cmp.Or(err, temporal.Stop()) }()
	if s.config == "" {
		stop, err := startDemo(ctx, s, &c)
		if err != nil {
			return err
		}
		defer stop()
	}
	if s.dev != nil {
		unregister, failed := s.dev.register(ctx)
		if failed != nil {
			return failed
		}
		defer func() { err = cmp.Or(err, unregister()) }()
	}
	return app.Run(ctx, app.Options{
		Name:        name,
		File:        s.config,
		Load:        options,
		AdminListen: config.DefaultAdminListen,
		Config:      c,
		UIURL:       temporal.UIURL(),
		Temporal:    temporal.ClientOptions(),
		Logger:      log,
		Failed:      temporal.Failed(),
		Storable:    temporal.Storable,
		Development: s.dev != nil,
		Ready:       func() { fmt.Fprint(os.Stdout, banner(s, c, temporal)) },
	}, app.Standalone)
}

// configOptions are those of the command line, and the data folder's own key.
func configOptions(s settings) (config.Options, error) {
	key, err := datadir.SealingKey(s.data)
	options := s.options
	options.SealingKey = key
	return options, err
}

func startEngine(ctx context.Context, s settings, c config.Config, log *slog.Logger) (*engine.Engine, error) {
	attributes := make(map[string]enumspb.IndexedValueType)
	for _, key := range workflows.SearchAttributes() {
		attributes[key.GetName()] = key.GetValueType()
	}
	options := engine.Options{
		DataDir:          s.data,
		TemporalListen:   s.temporalListen,
		UIListen:         s.uiListen,
		SearchAttributes: attributes,
		Logger:           log,
	}
	if c.EncryptPayloads {
		codec, err := app.CodecHandler(c, log)
		if err != nil {
			return nil, err
		}
		options.Codec = codec
	}
	return engine.Start(ctx, options)
}

// startDemo starts the demo receiver and makes it the configuration's one destination. It also
// accepts events as any installation and as a relay, so that both doors can be tried.
func startDemo(ctx context.Context, s settings, c *config.Config) (stop func(), err error) {
	secret, err := datadir.DemoSecret(s.data)
	if err != nil {
		return nil, err
	}
	receiver, err := demo.Start(s.demoListen, secret, os.Stdout)
	if err != nil {
		return nil, err
	}
	destination := config.DefaultDestination()
	destination.Name = "demo"
	destination.URL = config.Secret(receiver.URL())
	destination.Secrets = []config.Secret{config.Secret(secret)}
	destination.AllowPrivate = true
	c.Destinations = []config.Destination{destination}
	c.Sources = []config.Source{{Name: "demo", Secrets: destination.Secrets}}
	c.Installations = []config.Installation{{ID: "*", AllowPrivate: true}}
	return func() { _ = receiver.Stop(context.WithoutCancel(ctx)) }, nil
}
