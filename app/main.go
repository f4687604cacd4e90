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
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	file := ConfigFlag(flags)
	if err := Parse(flags, args); err != nil {
		return err
	}
	c, err := config.Load(*file, config.Options{})
	if err != nil {
		return err
	}
	temporal, err := TemporalOptions()
	if err != nil {
		return fmt.Errorf("TEMPORAL_* settings: %w", err)
	}
	return Run(ctx, Options{Config: c, Temporal: temporal, Logger: NewLogger(os.Stderr)}, program)
}

// ConfigFlag defines --config, whose default is COURIER_CONFIG.
func ConfigFlag(flags *flag.FlagSet) *string {
	return flags.String("config", os.Getenv("COURIER_CONFIG"), "the configuration `file`; without one the defaults apply (COURIER_CONFIG)")
}

// errUsage is a command line that was refused; flag has said why.
var errUsage = errors.New("usage")

// Parse parses a command line that takes flags alone.
func Parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return nil
}

// Exit says what went wrong and returns the exit code for it.
func Exit(stderr io.Writer, name string, err error) int {
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	default:
		fmt.Fprintf(stderr, "%s: %v\n", name, err)
		return 1
	}
}
