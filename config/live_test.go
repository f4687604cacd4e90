package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReloaded(t *testing.T) {
	t.Parallel()
	running := Default()
	running.Destinations = []Destination{DefaultDestination()}
	next := Default()
	next.Listen, next.MaxRequests, next.TLS = "127.0.0.1:1", 7, TLS{"a", "b"}
	next.Access.Tokens = []Secret{"a-new-token-of-the-tests"}
	next.UnknownPatience = time.Hour
	effective, pending := running.Reloaded(next)
	require.Equal(t, []string{"listen", "tls", "max_requests"}, pending)
	require.Equal(t, running.Listen, effective.Listen)
	require.Equal(t, running.MaxRequests, effective.MaxRequests)
	require.Equal(t, running.TLS, effective.TLS)
	require.Equal(t, next.Access, effective.Access)
	require.Equal(t, time.Hour, effective.UnknownPatience)
	require.Empty(t, effective.Destinations)

	live := NewLive(running)
	require.Equal(t, running, live.Current())
	live.Replace(effective)
	require.Equal(t, effective, live.Current())
}

// A key is either read again or needs a restart, and the list of those has no others.
func TestFixedKeysExist(t *testing.T) {
	t.Parallel()
	var keys []string
	for i := range reflect.TypeFor[Config]().NumField() {
		keys = append(keys, reflect.TypeFor[Config]().Field(i).Tag.Get("yaml"))
	}
	for _, key := range fixed {
		require.Contains(t, keys, key)
	}
	require.Equal(t, "access,installations,secret_overlap,sources,destinations,unknown_patience",
		strings.Join(slices.DeleteFunc(keys, func(key string) bool { return slices.Contains(fixed, key) }), ","))
}
