package engine

import (
	"bytes"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

func newTestLogger(out *bytes.Buffer) (*serverLogger, chan error) {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	failure := make(chan error, 1)
	return newServerLogger(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: withoutTime})), failure), failure
}

func TestServerLoggerPassesErrors(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, _ := newTestLogger(&out)
	shard := l.With(tag.ShardID(1))
	shard.Debug("debug")
	shard.Info("info")
	shard.Warn("slow", tag.Key("disk"))
	shard.Error("lost", tag.Error(errors.New("no space left")))
	require.Panics(t, func() { shard.Panic("broken") })
	require.Equal(t, "level=ERROR msg=lost component=temporal shard-id=1 error=\"no space left\"\n"+
		"level=ERROR msg=broken component=temporal shard-id=1\n", out.String())

	out.Reset()
	l.quiet()
	shard.Error("lost") // Loggers derived before are muted too.
	require.Empty(t, out.String())
}

// Ensure Fatal neither returns to its caller nor ends the process, and that the engine learns of
// the first one.
func TestServerLoggerFatalEndsTheGoroutine(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	l, failure := newTestLogger(&out)
	for _, message := range []string{"Failed to start gRPC listener", "later"} {
		returned := true
		done := make(chan struct{})
		go func() {
			defer close(done)
			returned = false
			log.With(l, tag.ShardID(1)).Fatal(message, tag.Error(errors.New("address already in use")), tag.Address("127.0.0.1:1"))
			returned = true
		}()
		<-done
		require.False(t, returned)
	}
	require.EqualError(t, <-failure, "temporal server: Failed to start gRPC listener: address already in use, 127.0.0.1:1")
	require.Empty(t, failure)
}
