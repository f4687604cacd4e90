package app

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/internal/metrics"
)

const (
	// reloadInterval is the pause between two looks at the configuration's files.
	reloadInterval = 2 * time.Second
	// countTimeout bounds the question how many deliveries a removed destination has.
	countTimeout = 5 * time.Second
)

// reloader reads the configuration again when one of its files changes, or on SIGHUP: as a whole,
// or not at all.
type reloader struct {
	file    string
	load    func() (config.Config, []string, error)
	live    *config.Live
	apply   []func(config.Config)
	waiting func(ctx context.Context, destination string) (int64, error)
	log     *slog.Logger
	now     func() time.Time

	// seen is the content of the files at the last look.
	seen  [sha256.Size]byte
	files []string

	mu     sync.Mutex
	failed bool
	at     time.Time // of the last success

	cancel context.CancelFunc
	done   chan struct{}
}

// reloadable are those who take another configuration.
type reloadable struct {
	fx.In
	Apply []func(config.Config) `group:"reload"`
}

func newReloader(o Options, live *config.Live, of reloadable, s *deliveries.Store, m *metrics.Metrics, now func() time.Time) (*reloader, error) {
	r := &reloader{file: o.File, live: live, apply: of.Apply, waiting: s.Waiting, log: o.Logger, now: now, at: now(), done: make(chan struct{})}
	r.load = func() (c config.Config, files []string, err error) {
		options := o.Load
		options.Read = func(path string) { files = append(files, path) }
		c, err = config.Load(o.File, options)
		return c, files, err
	}
	success := m.Gauge("courier.configuration.reload.success", "", "1 unless the configuration's file was refused when it was read last.", func(context.Context) []metrics.Value {
		if failed, _ := r.state(); failed {
			return []metrics.Value{{}}
		}
		return []metrics.Value{{Value: 1}}
	})
	timestamp := m.Gauge("courier.configuration.reload.timestamp", "s", "When the configuration that counts was read, in Unix time.", func(context.Context) []metrics.Value {
		_, at := r.state()
		return []metrics.Value{{Value: float64(at.Unix())}}
	})
	return r, errors.Join(success, timestamp)
}

func (r *reloader) state() (failed bool, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failed, r.at
}

func (r *reloader) start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	r.look()
	go func() {
		defer close(r.done)
		defer signal.Stop(hangup)
		ticker := time.NewTicker(reloadInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-hangup:
				r.look()
				r.reload(ctx)
			case <-ticker.C:
				if r.look() {
					r.reload(ctx)
				}
			}
		}
	}()
	return nil
}

func (r *reloader) stop(context.Context) error {
	r.cancel()
	<-r.done
	return nil
}

// look reports whether a file has changed since the last look. What is missing for a moment, while
// it is replaced, has not.
func (r *reloader) look() bool {
	if r.file == "" {
		return false
	}
	if r.files == nil {
		_, r.files, _ = r.load()
	}
	sum := sha256.New()
	for _, file := range append([]string{r.file}, r.files...) {
		content, err := os.ReadFile(file)
		if err != nil {
			return false
		}
		one := sha256.Sum256(content)
		sum.Write(one[:])
	}
	seen := [sha256.Size]byte(sum.Sum(nil))
	changed := seen != r.seen
	r.seen = seen
	return changed
}

// reload replaces the configuration by what the file says now, if that is valid.
func (r *reloader) reload(ctx context.Context) {
	if r.file == "" {
		r.log.InfoContext(ctx, "there is no configuration file to read again")
		return
	}
	next, files, err := r.load()
	r.files = files
	r.mu.Lock()
	r.failed = err != nil
	if err == nil {
		r.at = r.now()
	}
	r.mu.Unlock()
	if err != nil {
		r.log.ErrorContext(ctx, "configuration not reloaded; the one before stays", "error", err)
		return
	}
	before := r.live.Current()
	effective, pending := before.Reloaded(next)
	if len(pending) > 0 {
		r.log.WarnContext(ctx, "these keys count from the next start on", "keys", pending)
	}
	if effective.StopTimeout() > before.StopTimeout() {
		r.log.WarnContext(ctx, "a timeout is longer now; until the next start, a stop does not wait for such attempts")
	}
	if reflect.DeepEqual(before, effective) {
		r.log.InfoContext(ctx, "configuration read again; nothing has changed")
		return
	}
	for _, warning := range effective.Warnings() {
		r.log.WarnContext(ctx, "configuration", "warning", warning)
	}
	r.live.Replace(effective)
	for _, apply := range r.apply {
		apply(effective)
	}
	r.log.InfoContext(ctx, "configuration reloaded", "destinations", len(effective.Destinations))
	r.warnOfRemoved(ctx, before, effective)
}

// warnOfRemoved says how many deliveries wait for destinations that are gone.
func (r *reloader) warnOfRemoved(ctx context.Context, before, after config.Config) {
	for _, d := range before.Destinations {
		if slices.ContainsFunc(after.Destinations, func(a config.Destination) bool { return slices.Contains(a.Names(), d.Name) }) {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, countTimeout)
		n, err := r.waiting(asking, d.Name)
		cancel()
		if err != nil || n > 0 {
			r.log.WarnContext(ctx, "a destination was removed while deliveries to it are under way; they wait for it until unknown_patience ends",
				"destination", d.Name, "deliveries", n)
		}
	}
}
