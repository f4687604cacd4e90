package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
)

// serverLogger passes the server's errors on to slog.
//
// Fatal, after which the server expects the process to be gone, ends only the goroutine that called
// it and reports the failure to the engine: a library does not exit.
type serverLogger struct {
	logger  *slog.Logger
	tags    []tag.Tag // of every line
	failure chan<- error
	muted   *atomic.Bool
	often   *often
}

var (
	_ log.Logger     = (*serverLogger)(nil)
	_ log.WithLogger = (*serverLogger)(nil)
)

func newServerLogger(logger *slog.Logger, failure chan<- error) *serverLogger {
	return &serverLogger{logger: logger.With("component", "temporal"), failure: failure, muted: new(atomic.Bool), often: newOften(time.Now)}
}

// quiet mutes the logger: while the server stops, its services complain of each other's absence.
func (l *serverLogger) quiet() { l.muted.Store(true) }

// Debug is dropped: the server's own progress is of no use to an operator of one process.
func (l *serverLogger) Debug(string, ...tag.Tag) {}

// Info is dropped like Debug.
func (l *serverLogger) Info(string, ...tag.Tag) {}

// Warn is dropped too: the server warns of what is switched off on purpose, and of tasks that it
// will try again.
func (l *serverLogger) Warn(string, ...tag.Tag) {}

// Error logs an error.
func (l *serverLogger) Error(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// DPanic logs a broken assumption as an error.
func (l *serverLogger) DPanic(msg string, tags ...tag.Tag) { l.log(slog.LevelError, msg, tags) }

// Panic logs an error and panics, as its callers rely on.
func (l *serverLogger) Panic(msg string, tags ...tag.Tag) {
	l.log(slog.LevelError, msg, tags)
	panic(msg)
}

// Fatal reports what the server cannot survive and ends the calling goroutine.
func (l *serverLogger) Fatal(msg string, tags ...tag.Tag) {
	l.fail(fatalError(msg, tags))
	runtime.Goexit()
}

// fail reports what the server cannot survive.
func (l *serverLogger) fail(err error) {
	if l.muted.Load() {
		return
	}
	select {
	case l.failure <- err:
	default: // The first failure is the telling one.
	}
}

// With returns a logger whose lines carry tags. The server makes one for each workflow, most of
// which log nothing, so the tags are only kept.
func (l *serverLogger) With(tags ...tag.Tag) log.Logger {
	c := *l
	c.tags = slices.Concat(l.tags, tags)
	return &c
}

func (l *serverLogger) log(level slog.Level, msg string, tags []tag.Tag) {
	if l.muted.Load() {
		return
	}
	suppressed, logged := l.often.allow(msg)
	if !logged {
		return
	}
	all := attrs(slices.Concat(l.tags, tags))
	if suppressed > 0 {
		all = append(all, slog.Int("more", suppressed))
	}
	l.logger.LogAttrs(context.Background(), level, msg, all...) //nolint:sloglint // The message is the server's.
}

func attrs(tags []tag.Tag) []slog.Attr {
	out := make([]slog.Attr, len(tags))
	for i, t := range tags {
		out[i] = slog.Any(t.Key(), t.Value())
	}
	return out
}

// fatalError makes one line of a fatal message and the tags that explain it.
func fatalError(msg string, tags []tag.Tag) error {
	var details []string
	for _, t := range tags {
		switch t.Key() {
		case "error", "address", "service":
			details = append(details, fmt.Sprint(t.Value()))
		}
	}
	text := "temporal server: " + msg
	if len(details) > 0 {
		text += ": " + strings.Join(details, ", ")
	}
	return errors.New(text)
}
