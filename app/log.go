package app

import (
	"io"
	"log/slog"
	"slices"

	sdklog "go.temporal.io/sdk/log"

	"github.com/gitbook-courier/courier/internal/codec"
)

// NewLogger is the logger of all programs: text, one line for each record.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, nil))
}

// sdkLogger is the Temporal SDK's logger. The SDK calls it an error when an
// activity fails, which here is a destination that did not take a webhook; the
// activity has logged that itself, with what matters. One whose payloads could
// not be decrypted had no chance to.
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

// With implements the SDK's optional log.WithLogger, which the embedding
// would otherwise hide.
func (l sdkLogger) With(keyvals ...any) sdklog.Logger {
	return sdkLogger{sdklog.With(l.Logger, keyvals...)}
}
