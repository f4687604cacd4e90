package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/gitbook"
)

// reader reads a payload.
func reader(p payload) io.Reader {
	all := p.buffers()
	return &all
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	p := small("space_1")
	request, err := gitbook.ParseRuntimeRequest(formContentType, reader(p))
	require.NoError(t, err)
	require.Equal(t, p.id, request.Event.ID)
	require.Equal(t, gitbook.EventSpaceContentUpdated, request.Event.Type)
	require.Equal(t, "space_1", request.Event.SpaceID)
	require.NotEqual(t, p.id, small("space_1").id)

	p = large("space_1", typed)
	require.EqualValues(t, gitbook.DefaultMaxBodyBytes, p.size())
	request, err = gitbook.ParseRuntimeRequest(formContentType, reader(p))
	require.NoError(t, err)
	require.Equal(t, p.id, request.Event.ID)

	request, err = gitbook.ParseRuntimeRequest(formContentType, reader(kilobyte("space_1")))
	require.NoError(t, err)
	require.Len(t, request.Event.Raw(), 1000)

	p = large("space_1", untyped)
	body, err := io.ReadAll(reader(p))
	require.NoError(t, err)
	require.Len(t, body, gitbook.DefaultMaxBodyBytes)
	_, err = gitbook.ParseRuntimeRequest(formContentType, reader(p))
	require.ErrorContains(t, err, "event.type")
}

func TestConfigurationIsAccepted(t *testing.T) {
	t.Parallel()
	for name, give := range map[string]string{
		"no destination": configuration(),
		"two": configuration(
			destination{name: "fast", url: "http://127.0.0.1:9000/fast", space: fastSpace},
			destination{name: "down", url: deadURL, retries: outageRetries},
		),
	} {
		file := t.TempDir() + "/courier.yaml"
		require.NoError(t, writeFile(file, func(w io.Writer) error {
			_, err := io.WriteString(w, give)
			return err
		}))
		_, err := config.Load(file, config.Options{})
		require.NoError(t, err, name)
	}
}

func TestLoopEndsWithTheFirstError(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	require.NoError(t, loop(t.Context(), 4, times(100), func(context.Context) error {
		calls.Add(1)
		return nil
	}))
	require.EqualValues(t, 100, calls.Load())

	broken := errors.New("broken")
	require.ErrorIs(t, loop(t.Context(), 4, times(1_000_000_000), func(context.Context) error { return broken }), broken)
}

func TestSenderAndReceiver(t *testing.T) {
	t.Parallel()
	// The receiver is Courier and the destination at once.
	to := startReceiver(t, func(path string, _ int) (int, time.Duration) {
		if path == "/v1" {
			return http.StatusServiceUnavailable, 0
		}
		return http.StatusOK, 0
	})
	s := newSender(strings.TrimPrefix(to.url, "http://"))
	defer s.close()

	posts, refused, err := s.open(t.Context(), 1000, 5, func(int) payload { return small("space_1") })
	require.NoError(t, err)
	require.Equal(t, 5, refused)
	require.Empty(t, posts)
	_, err = s.closed(t.Context(), 2, times(5), func() payload { return small("space_1") })
	require.EqualError(t, err, "an event was answered 503")

	for _, id := range []string{"evt_1", "evt_2"} {
		_, err := deliver(t.Context(), to.url+"/fast", id, nil)
		require.NoError(t, err)
	}
	both := []post{{id: "evt_1"}, {id: "evt_2"}}
	require.Zero(t, to.await(t.Context(), both))
	last, err := to.last(both)
	require.NoError(t, err)
	require.Equal(t, to.requests("evt_2")[0].at, last)

	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, 2, to.await(over, append([]post{{id: "evt_3"}, {id: "evt_4"}}, both...)))
}
