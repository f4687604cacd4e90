package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/version"
)

// output is a log that a test waits for.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) has(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.text.String(), text)
}

// nowhere is an address on which no Temporal listens.
func nowhere(t *testing.T) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}

func programOptions(t *testing.T) (Options, *output) {
	t.Helper()
	log := &output{}
	c, err := config.Parse([]byte("listen: 127.0.0.1:0\ndestinations: [{name: search, url: 'https://example.com/', secrets: [one], concurrency: 2}]"), "courier.yaml", config.Options{})
	require.NoError(t, err)
	return Options{Config: c, Temporal: client.Options{HostPort: nowhere(t)}, Logger: slog.New(slog.NewTextHandler(log, nil))}, log
}

// No program has to be started after Temporal, and all stop when they are told.
func TestProgramsWaitForTemporal(t *testing.T) {
	t.Parallel()
	for name, program := range map[string]Program{"starter": StarterProgram, "worker": WorkerProgram, "standalone": Standalone} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, log := programOptions(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- Run(ctx, o, program) }()
			require.Eventually(t, func() bool { return log.has("waiting for Temporal") }, 20*time.Second, 10*time.Millisecond)
			cancel()
			require.NoError(t, <-ended)
			require.True(t, log.has("msg=started") && log.has(version.Number), "%s", log)
		})
	}
}

// A failure outside the modules ends the program.
func TestRunEndsWithItsSurroundings(t *testing.T) {
	t.Parallel()
	o, _ := programOptions(t)
	broken := errors.New("the engine is broken")
	failed := make(chan error, 1)
	failed <- broken
	o.Failed = failed
	require.ErrorIs(t, Run(t.Context(), o, StarterProgram), broken)
}

func TestRunSaysWhyItCannotBegin(t *testing.T) {
	t.Parallel()
	o, _ := programOptions(t)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	o.Config.Listen = taken.Addr().String()
	require.ErrorContains(t, Run(t.Context(), o, StarterProgram), "is taken by another process; choose another address")
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for code, errs := range map[int][]error{0: {nil, flag.ErrHelp, errVersion}, 1: {errors.New("broken")}, 2: {errUsage}} {
		for _, err := range errs {
			var stderr strings.Builder
			require.Equal(t, code, Exit(&stderr, "worker", err))
			require.Equal(t, code == 1, stderr.String() == "worker: broken\n")
		}
	}
}

func TestFlags(t *testing.T) {
	parse := func(args ...string) (file, listen, printed string, err error) {
		var out strings.Builder
		flags := NewFlags("courier-worker")
		flags.SetOutput(&strings.Builder{})
		var o config.Options
		config := flags.Config()
		flags.Listen(&o)
		err = flags.Parse(args, &out)
		return *config, o.Listen, out.String(), err
	}
	file, listen, _, err := parse("--config", "courier.yaml", "--listen", "127.0.0.1:1")
	require.NoError(t, err)
	require.Equal(t, "courier.yaml", file)
	require.Equal(t, "127.0.0.1:1", listen)
	_, _, _, err = parse("--unknown")
	require.ErrorIs(t, err, errUsage)
	_, _, _, err = parse("more")
	require.EqualError(t, err, `unexpected argument "more"`)
	_, _, _, err = parse("--help")
	require.ErrorIs(t, err, flag.ErrHelp)
	_, _, printed, err := parse("--version")
	require.ErrorIs(t, err, errVersion)
	require.Regexp(t, `^courier-worker \d+\.\d+\.\d+(-dev)?, commit \S+, Temporal .+\n$`, printed)

	t.Setenv("COURIER_LISTEN", "127.0.0.1:2")
	_, listen, _, err = parse()
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:2", listen)
	_, listen, _, err = parse("--listen", "127.0.0.1:1")
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:1", listen, "the flag wins")
}

func TestMainRefusesAConfiguration(t *testing.T) {
	require.Equal(t, 1, Main("worker", []string{"--config", t.TempDir() + "/none.yaml"}, WorkerProgram))
	require.Equal(t, 1, Main("worker", []string{"more"}, WorkerProgram))
}

// A destination that does not take a webhook is no error of ours.
func TestLogOfTheSDK(t *testing.T) {
	t.Parallel()
	log := &output{}
	o := Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	l := sdkLogger{sdklog.NewStructuredLogger(o.Logger)}.With("a", 1).(sdkLogger)
	l.Error("Activity error.", "Error", errors.New("500"))
	require.False(t, log.has("Activity error."))
	l.Error("Activity error.", "Error", codec.ErrKeyMissing)
	require.True(t, log.has("Activity error."))
	l.Error("another")
	require.True(t, log.has("another"))
}

func TestStarterWaitsForWorkersOfItsRelease(t *testing.T) {
	t.Parallel()
	old := &deliveries.OldWorkerError{Worker: "1@old"}
	var given error
	workers := oldWorkers{Check: func(context.Context) error { return given }}
	stored := 0
	s := checkedStore{storeFunc(func() { stored++ }), workers.Check}
	given = old
	_, err := s.Start(t.Context(), deliveries.NewDelivery{})
	require.ErrorIs(t, err, old)
	require.Zero(t, stored)
	given = nil
	started, err := s.Start(t.Context(), deliveries.NewDelivery{})
	require.NoError(t, err)
	require.True(t, started)

	require.Same(t, (*deliveries.Store)(nil), newIngressStore(nil, oldWorkers{}), "with its own worker there are no others")
	notPrepared := &connection{ready: make(chan struct{})}
	require.ErrorContains(t, newReadiness(testOptions(), notPrepared, workers)(t.Context()), "the namespace is not prepared yet")
}

// storeFunc is a store that is called.
type storeFunc func()

func (f storeFunc) GiveUpUninstalled(context.Context, deliveries.Uninstalled) error {
	f()
	return nil
}

func (f storeFunc) Start(context.Context, deliveries.NewDelivery) (bool, error) {
	f()
	return true, nil
}

func TestCodecHandlerNeedsValidKeys(t *testing.T) {
	t.Parallel()
	o, _ := programOptions(t)
	h, err := CodecHandler(o.Config, o.Logger)
	require.NoError(t, err)
	require.NotNil(t, h)
	o.Config.SealingKeys = []config.Secret{"short"}
	_, err = CodecHandler(o.Config, o.Logger)
	require.ErrorContains(t, err, "sealing_keys[0]")
}
