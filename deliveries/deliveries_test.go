package deliveries

import (
	"encoding/base64"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

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
		Config: c, Keys: keys, Log: slog.New(slog.DiscardHandler), Now: now,
	})
}

// at0 is a clock that stands still.
func at0() time.Time { return noon }

// parseConfig is a configuration file.
func parseConfig(t *testing.T, yaml string) config.Config {
	t.Helper()
	c, err := config.Parse([]byte(yaml), "courier.yaml", config.Options{})
	require.NoError(t, err)
	return c
}
