package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/config"
)

// A Program is the modules that a program runs with a configuration.
type Program func(config.Config) fx.Option

// StarterProgram takes events in and, with an embedded worker, sends them too.
func StarterProgram(c config.Config) fx.Option {
	if c.Worker == config.WorkerEmbedded {
		return Standalone(c)
	}
	return fx.Options(Starter, separate)
}

// WorkerProgram sends.
func WorkerProgram(config.Config) fx.Option { return Worker }

// Standalone takes events in and sends them, in one process. The worker is started before the
// starter and stopped after it.
func Standalone(config.Config) fx.Option { return fx.Options(Worker, Starter) }

// Main is the main function of a program that runs against the Temporal that TEMPORAL_* names. It
// returns the exit code: 0 after a stop that was asked for, 1 when the program could not go on, 2
// for wrong usage.
func Main(name string, args []string, program Program) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return Exit(os.Stderr, name, run(ctx, name, args, program))
}

func run(ctx context.Context, name string, args []string, program Program) error {
	flags := NewFlags(name)
	file := flags.Config()
	var options config.Options
	flags.Listen(&options)
	if err := flags.Parse(args, os.Stdout); err != nil {
		return err
	}
	c, err := config.Load(*file, options)
	if err != nil {
		return err
	}
	log := NewLogger(os.Stderr, c.LogFormat)
	temporal, err := TemporalOptions()
	if err != nil {
		return fmt.Errorf("TEMPORAL_* settings: %w", err)
	}
	if err := Run(ctx, Options{Name: name, Config: c, File: *file, Load: options, Temporal: temporal, Logger: log}, program); err != nil {
		return err
	}
	log.InfoContext(ctx, "stopped")
	return nil
}

// Exit says what went wrong and returns the exit code for it.
func Exit(stderr io.Writer, name string, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp), errors.Is(err, errVersion):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
}
