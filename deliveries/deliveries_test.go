package deliveries

import (
	"context"
	"encoding/base64"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/seal"
)

// newStore makes a store of a client, which is a mock.
func newStore(t *testing.T, temporal client.Client, c config.Config, now func() time.Time) *Store {
	t.Helper()
	key, err := seal.ParseKey(base64.StdEncoding.EncodeToString(make([]byte, 32)))
	require.NoError(t, err)
	keys, err := seal.NewKeyring(key)
	require.NoError(t, err)
	return New(Options{
		Client: temporal, Namespace: "default", Payloads: converter.GetDefaultDataConverter(),
		Config: config.NewLive(c), Keys: keys, Log: slog.New(slog.DiscardHandler), Now: now,
	})
}

func minute(n int) time.Duration { return time.Duration(n) * time.Minute }

// at0 is a clock that stands still.
func at0() time.Time { return noon }

// parseConfig is a configuration file.
func parseConfig(t *testing.T, yaml string) config.Config {
	t.Helper()
	c, err := config.Parse([]byte(yaml), "courier.yaml", config.Options{})
	require.NoError(t, err)
	return c
}

// canceled is the context of a caller that has gone.
func canceled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

// poller is a worker that polls for tasks.
type poller struct {
	identity, build string
	last            time.Time
}

func pollersOf(pollers []poller) *workflowservice.DescribeTaskQueueResponse {
	response := &workflowservice.DescribeTaskQueueResponse{}
	for _, p := range pollers {
		response.Pollers = append(response.Pollers, &taskqueuepb.PollerInfo{
			Identity: p.identity, LastAccessTime: timestamppb.New(p.last),
			WorkerVersionCapabilities: &commonpb.WorkerVersionCapabilities{BuildId: p.build}, //nolint:staticcheck // see Workers.Check
		})
	}
	return response
}
