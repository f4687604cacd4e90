package app

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"go.uber.org/fx"
	"google.golang.org/grpc"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
)

// operator does not let anyone register search attributes, which then are somebody else's to
// register.
type operator struct {
	operatorservice.OperatorServiceClient
}

func (operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	return nil, serviceerror.NewPermissionDenied("no", "")
}

// A program goes on when Temporal comes.
func TestConnectionIsUsableOnceTemporalIsThere(t *testing.T) {
	t.Parallel()
	log := &output{}
	o := Options{Logger: slog.New(slog.NewTextHandler(log, nil))}
	temporal := mocks.NewClient(t)
	temporal.On("CheckHealth", mock.Anything, mock.Anything).Return(nil, errors.New("refused")).Once()
	temporal.On("CheckHealth", mock.Anything, mock.Anything).Return(&client.CheckHealthResponse{}, nil)
	temporal.On("OperatorService").Return(operator{})
	temporal.On("Close").Return()
	c := newConnection(temporal, deliveries.NewNamespace(temporal, "", o.Logger), o)
	require.Error(t, c.usable(t.Context()))
	require.NoError(t, c.start(t.Context()))
	<-c.ready
	require.True(t, log.has("waiting for Temporal"))
	require.True(t, log.has("Temporal is reachable"))
	require.NoError(t, c.usable(t.Context()))

	workers := oldWorkers{Check: func(context.Context) error { return &deliveries.OldWorkerError{Worker: "1@old"} }}
	require.ErrorContains(t, newReadiness(testOptions(), c, workers)(t.Context()), "upgrade the workers first")
	require.NoError(t, newReadiness(testOptions(), c, oldWorkers{})(t.Context()))
	require.NoError(t, c.stop(t.Context()))
}

// shutdowner notes that the program is to end.
type shutdowner chan struct{}

func (s shutdowner) Shutdown(...fx.ShutdownOption) error {
	close(s)
	return nil
}

// A worker that cannot run ends the program.
func TestWorkerThatCannotStart(t *testing.T) {
	t.Parallel()
	o, log := programOptions(t)
	lazy, err := client.NewLazyClient(client.Options{HostPort: nowhere(t), Logger: sdkLogger{}, ConnectionOptions: client.ConnectionOptions{GetSystemInfoTimeout: time.Second}})
	require.NoError(t, err)
	t.Cleanup(lazy.Close)
	ready := make(chan struct{})
	close(ready)
	down := make(shutdowner)
	r := newRunner(o, lazy, &connection{ready: ready}, nil, nil, nil, down)
	require.NoError(t, r.start(t.Context()))
	<-down
	require.True(t, log.has("worker stopped"))
	require.NoError(t, r.stop(t.Context()))
}

func TestStarterWithAnEmbeddedWorker(t *testing.T) {
	t.Parallel()
	o := testOptions()
	o.Config.Worker = config.WorkerEmbedded
	require.NoError(t, fx.ValidateApp(compose(o, StarterProgram)))
}

func TestTemporalOptions(t *testing.T) {
	t.Setenv("TEMPORAL_ADDRESS", "temporal.example.com:7233")
	t.Setenv("TEMPORAL_NAMESPACE", "webhooks")
	options, err := TemporalOptions()
	require.NoError(t, err)
	require.Equal(t, "temporal.example.com:7233", options.HostPort)
	require.Equal(t, "webhooks", options.Namespace)
}

func TestLoggerWritesOneLineForEachRecord(t *testing.T) {
	t.Parallel()
	log := &output{}
	NewLogger(log, config.LogText).Info("two\nlines", "a", 1)
	require.True(t, log.has(`msg="two\nlines" a=1`))
}
