package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/gitbook-courier/courier/standalone/engine"
	"github.com/gitbook-courier/courier/workflows"
)

// engineMode is this program as a Temporal server, for programs that run apart from it.
const engineMode = "engine"

// runEngine runs the engine until ctx is done.
func runEngine(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(engineMode, flag.ContinueOnError)
	data := flags.String("data", "", "the `folder` of the databases")
	if err := flags.Parse(args); err != nil {
		return errUsage
	}
	e, err := startEngine(ctx, *data)
	if err != nil {
		return err
	}
	fmt.Println("engine at", e.Address())
	select {
	case <-ctx.Done():
	case err = <-e.Failed():
	}
	if stopErr := e.Stop(); err == nil {
		err = stopErr
	}
	return err
}

// startEngine starts the engine with the settings that Courier starts it with.
func startEngine(ctx context.Context, data string) (*engine.Engine, error) {
	attributes := make(map[string]enumspb.IndexedValueType)
	for _, key := range workflows.SearchAttributes() {
		attributes[key.GetName()] = key.GetValueType()
	}
	return engine.Start(ctx, engine.Options{
		DataDir:          data,
		TemporalListen:   "127.0.0.1:0",
		SearchAttributes: attributes,
		Logger:           slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}
