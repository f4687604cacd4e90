package activities

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimiterBoundConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(Limits{Concurrency: 2})
		began := time.Now()
		var group sync.WaitGroup
		for range 6 {
			group.Go(func() {
				done, err := limiter.wait(t.Context(), nil)
				require.NoError(t, err)
				<-time.After(time.Second) // the request
				done()
			})
		}
		group.Wait()
		require.Equal(t, 3*time.Second, time.Since(began))
	})
}

func TestLimiterBoundTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limiter := newLimiter(Limits{PerSecond: 2})
		began := time.Now()
		for range 5 {
			done, err := limiter.wait(t.Context(), nil)
			require.NoError(t, err)
			done()
		}
		require.Equal(t, 2*time.Second, time.Since(began))
	})
}

// Whoever gets no turn waits all the same, so that queueing up again costs
// Temporal little.
func TestLimiterAreWaitedForSoLongAndNoLonger(t *testing.T) {
	t.Parallel()
	for name, limits := range map[string]Limits{"concurrency": {Concurrency: 1}, "rate": {PerSecond: 0.001}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limiter := newLimiter(limits)
				_, err := limiter.wait(t.Context(), nil)
				require.NoError(t, err)
				began := time.Now()
				_, err = limiter.wait(t.Context(), nil)
				require.ErrorIs(t, err, errNoTurn)
				require.Equal(t, MaxTurnWait, time.Since(began))

				stopping := make(chan struct{})
				time.AfterFunc(time.Second, func() { close(stopping) })
				began = time.Now()
				_, err = limiter.wait(t.Context(), stopping)
				require.ErrorIs(t, err, errNoTurn)
				require.Equal(t, time.Second, time.Since(began), "a worker that stops does not wait")

				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				_, err = limiter.wait(ctx, nil)
				require.ErrorIs(t, err, errNoTurn)
			})
		})
	}
}
