package server

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
)

func TestConcurrencyLimit(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	const ms = time.Millisecond
	type sample struct {
		at, latency time.Duration
		inUse       int
	}
	repeat := func(n int, s sample) []sample { return slices.Repeat([]sample{s}, n) }
	tests := []struct {
		name      string
		giveLimit float64
		give      []sample
		want      float64
	}{
		{"nothing observed", 8, nil, 8},
		{"fast and used up: doubles in a round trip", 8, repeat(8, sample{0, 10 * ms, 128}), 16},
		{"up to the most", 8, repeat(1000, sample{0, 10 * ms, 128}), 128},
		{"fast and not used up", 8, repeat(100, sample{0, 10 * ms, 7}), 8},
		{"nearer to the target: one more in a round trip", 8, repeat(8, sample{0, 300 * ms, 128}), 8.95},
		{"at the target", 8, []sample{{0, 500 * ms, 8}}, 8.125},
		{"at the most, the target is met", 128, repeat(1000, sample{0, 499 * ms, 128}), 128},
		{"slower", 100, []sample{{10 * time.Second, 600 * ms, 100}}, 100 * 5. / 6},
		{"a little slower", 100, []sample{{10 * time.Second, 501 * ms, 100}}, 90},
		{"much slower", 100, []sample{{10 * time.Second, 5 * time.Second, 100}}, 25},
		{"from those in use", 100, []sample{{10 * time.Second, time.Second, 10}}, 5},
		{"once in a round trip", 100, repeat(50, sample{10 * time.Second, time.Second, 100}), 50},
		{
			"again when it began under the new limit", 100,
			[]sample{{10 * time.Second, time.Second, 100}, {10999 * ms, time.Second, 50}, {11 * time.Second, time.Second, 50}},
			25,
		},
		{"never below the least", 100, []sample{{10 * time.Second, 5 * time.Second, 1}, {20 * time.Second, 5 * time.Second, 1}}, 2},
		{"recovers", 2, repeat(30, sample{20 * time.Second, 20 * ms, 1000}), 32},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			limit := newConcurrencyLimit(128)
			require.Equal(t, initialConcurrency, limit.slots())
			limit.limit = tt.giveLimit
			for _, s := range tt.give {
				limit.observe(begin.Add(s.at), s.latency, s.inUse)
			}
			require.InDelta(t, tt.want, limit.limit, 0.01)
			require.Equal(t, int(math.Floor(limit.limit)), limit.slots())
		})
	}
	one := newConcurrencyLimit(1)
	one.observe(begin, time.Minute, 1)
	require.Equal(t, 1, one.slots(), "max_requests is less than the least")
}

// engine stores one delivery after another, as an engine on a fraction of a core does.
type engine struct {
	free    chan struct{} // synctest's clock does not go on while someone waits for a mutex
	service time.Duration
}

func (e *engine) store() {
	e.free <- struct{}{}
	<-time.After(e.service)
	<-e.free
}

// load is what clients see that send events at a gate for a while.
type load struct {
	stored, refused int
	slowest         time.Duration // of those stored, without the time in the queue
	slots           int
}

// run has clients send one event after another, for three destinations each, and again after
// Retry-After.
func run(ctx context.Context, clients int, service, span time.Duration) load {
	var (
		mu     sync.Mutex
		result load
		group  sync.WaitGroup
	)
	e := &engine{free: make(chan struct{}, 1), service: service}
	g := newGate(newConcurrencyLimit(config.DefaultMaxRequests), newLimits(config.Default()), slog.New(slog.DiscardHandler))
	handler := g.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		begun := time.Now()
		var starts sync.WaitGroup
		for range 3 {
			starts.Go(func() {
				begun := time.Now()
				e.store()
				g.observe(time.Since(begun), nil)
			})
		}
		starts.Wait()
		mu.Lock()
		defer mu.Unlock()
		result.stored++
		// The clock of the first seconds belongs to the search for the limit.
		if time.Since(begun) > result.slowest && result.stored > clients {
			result.slowest = time.Since(begun)
		}
	}))
	end := time.Now().Add(span)
	for range clients {
		group.Go(func() {
			for time.Now().Before(end) {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
				if w.Code == http.StatusServiceUnavailable {
					mu.Lock()
					result.refused++
					mu.Unlock()
					<-time.After(2 * time.Second)
				}
			}
		})
	}
	group.Wait()
	result.slots = g.limit.slots()
	return result
}

// An engine that is too slow for all who send is given little at once: what is accepted is stored
// soon, what is refused has cost nothing, and no less is stored than the engine can do.
func TestOverloadIsRefusedAtTheDoor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		giveClients int
		giveService time.Duration
		wantSlowest time.Duration
		wantRefused bool
		wantSlots   [2]int
	}{
		{"a fifth of a core", 32, 100 * time.Millisecond, 1500 * time.Millisecond, true, [2]int{2, 4}},
		{"a slow disk", 64, 20 * time.Millisecond, 1500 * time.Millisecond, true, [2]int{5, 15}},
		{"many senders, a fair engine", 128, time.Millisecond, 500 * time.Millisecond, false, [2]int{120, 128}},
		{"a fast engine", 128, 100 * time.Microsecond, 100 * time.Millisecond, false, [2]int{120, 128}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const span = 60 * time.Second
				got := run(t.Context(), tt.giveClients, tt.giveService, span)
				t.Logf("%+v", got)
				require.LessOrEqual(t, got.slowest, tt.wantSlowest)
				require.Equal(t, tt.wantRefused, got.refused > 0)
				require.GreaterOrEqual(t, got.slots, tt.wantSlots[0])
				require.LessOrEqual(t, got.slots, tt.wantSlots[1])
				require.Greater(t, float64(got.stored), 0.95*float64(span/(3*tt.giveService)))
			})
		})
	}
}

func TestGateObserves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(newConcurrencyLimit(128), newLimits(config.Default()), slog.New(slog.DiscardHandler))
		for range 8 {
			require.True(t, g.enter(t.Context()))
		}
		g.observe(time.Millisecond, errors.New("connection refused"))
		require.Equal(t, 8, g.limit.slots(), "a quick error is no sign of anything")
		go g.enter(t.Context())
		synctest.Wait()
		g.observe(time.Millisecond, nil)
		queued, used := g.state()
		require.Equal(t, []int{0, 9}, []int{queued, used}, "a slot more, for the one that waits")
		<-time.After(10 * time.Second)
		g.observe(5*time.Second, errors.New("deadline exceeded"))
		require.Equal(t, 2, g.limit.slots(), "a slow error is one")
	})
}
