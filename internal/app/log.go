package app

import (
	"io"
	"log/slog"

	sdklog "go.temporal.io/sdk/log"
)

// NewLogger is the logger of all programs: text, one line for each record.
func NewLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, nil))
}

// sdkLogger is the Temporal SDK's logger. The SDK calls it an error when an
// activity fails, which here is a destination that did not take a webhook; the
// activity has logged that itself, with what matters.
type sdkLogger struct{ sdklog.Logger }

// Error implements the SDK's logger.
func (l sdkLogger) Error(msg string, keyvals ...any) {
	if msg == "Activity error." {
		l.Debug(msg, keyvals...)
		return
	}
	l.Logger.Error(msg, keyvals...)
}

// With implements the SDK's optional log.WithLogger, which the embedding
// would otherwise hide.
func (l sdkLogger) With(keyvals ...any) sdklog.Logger {
	return sdkLogger{sdklog.With(l.Logger, keyvals...)}
}
