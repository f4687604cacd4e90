package app

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"slices"

	sdklog "go.temporal.io/sdk/log"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/internal/codec"
)

// NewLogger is the logger of all programs: one line for each record, in one of the configuration's
// formats.
func NewLogger(w io.Writer, format string) *slog.Logger {
	if format == config.LogJSON {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// standardOutput is where package log writes: as it is, or as records of the same format.
func standardOutput(format string) io.Writer {
	if format != config.LogJSON {
		return os.Stderr
	}
	return slog.NewLogLogger(NewLogger(os.Stderr, format).Handler(), slog.LevelWarn).Writer()
}

// standardLog takes what libraries write with package log. net/http quotes there what a destination
// sends unasked, which may repeat a request's secrets.
type standardLog struct{ io.Writer }

// Write implements io.Writer. It gets one message at a time.
func (l standardLog) Write(message []byte) (int, error) {
	if before, _, quotes := bytes.Cut(message, []byte("Unsolicited response received on idle HTTP channel")); quotes {
		_, err := l.Writer.Write(append(bytes.Clone(before), "a destination sent something unasked; its connection was closed\n"...))
		return len(message), err
	}
	return l.Writer.Write(message)
}

// sdkLogger is the Temporal SDK's logger. The SDK calls it an error when an activity fails, which
// here is a destination that did not take a webhook; the activity has logged that itself, with what
// matters. One whose payloads could not be decrypted had no chance to.
type sdkLogger struct{ sdklog.Logger }

// Error implements the SDK's logger.
func (l sdkLogger) Error(msg string, keyvals ...any) {
	if msg == "Activity error." && !slices.ContainsFunc(keyvals, isUnreadable) {
		l.Debug(msg, keyvals...)
		return
	}
	l.Logger.Error(msg, keyvals...)
}

func isUnreadable(value any) bool {
	err, ok := value.(error)
	return ok && codec.Unreadable(err)
}

// With implements the SDK's optional log.WithLogger, which the embedding would otherwise hide.
func (l sdkLogger) With(keyvals ...any) sdklog.Logger {
	return sdkLogger{sdklog.With(l.Logger, keyvals...)}
}
