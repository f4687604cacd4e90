package activities

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiterBoundsConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(Limits{Concurrency: 2}, time.Now)
		began := time.Now()
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				done, _ := limiter.wait(t.Context(), nil)
				require.NotNil(t, done)
				<-time.After(time.Second) // the request
				done()
			})
		}
		group.Wait()
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}

func TestLimiterBoundsTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(Limits{PerSecond: 2}, time.Now)
		began := time.Now()
		for range 5 {
			done, _ := limiter.wait(t.Context(), nil)
			require.NotNil(t, done)
			done()
		}
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}

// A turn that is far away is not waited for in the worker.
func TestLimiterSendsAwayWhenNoTurnIsNear(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]Limits{"concurrency": {Concurrency: 1}, "rate": {PerSecond: 0.01}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limiter := newLimiter(limits, time.Now)
				done, _ := limiter.wait(t.Context(), nil)
				require.NotNil(t, done)
				began := time.Now()
				done, comeBack := limiter.wait(t.Context(), nil)
				require.Nil(t, done)
				require.GreaterOrEqual(t, comeBack, time.Second)
				require.LessOrEqual(t, comeBack, maxComeBack)
				require.LessOrEqual(t, time.Since(began), maxTurnWait)

				stopping := make(chan struct{})
				close(stopping)
				done, _ = limiter.wait(t.Context(), stopping)
				require.Nil(t, done, "a worker that stops does not wait")

				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				done, _ = limiter.wait(ctx, nil)
				require.Nil(t, done)
			})
		})
	}
}

// A long backlog goes out at the rate, and its executions are few: those that are sent away come
// back one after the other.
func TestLimiterServesABacklogAtItsPace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		give     Limits
		giveTook time.Duration
		want     time.Duration
	}{
		{"rate", Limits{PerSecond: 2}, 0, 5 * time.Minute},
		{"concurrency", Limits{Concurrency: 3}, 900 * time.Millisecond, 3 * time.Minute},
		{"both", Limits{PerSecond: 2, Concurrency: 1}, 100 * time.Millisecond, 5 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const backlog = 600
				limiter := newLimiter(tt.give, time.Now)
				var executions atomic.Int64
				began := time.Now()
				var group sync.WaitGroup
				for range backlog {
					group.Go(func() {
						for {
							executions.Add(1)
							done, comeBack := limiter.wait(t.Context(), nil)
							if done != nil {
								<-time.After(tt.giveTook)
								done()
								return
							}
							<-time.After(comeBack) // Temporal's part
						}
					})
				}
				group.Wait()
				require.Greater(t, time.Since(began), tt.want*9/10)
				require.Less(t, time.Since(began), tt.want*5/4)
				require.Less(t, executions.Load(), int64(7*backlog))
			})
		})
	}
}
