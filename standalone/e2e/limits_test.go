package e2e_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// A destination never has more requests under way than it bears; the others do not wait behind it,
// and all is delivered in the end.
func TestDestinationWithAConcurrencyLimit(t *testing.T) {
	t.Parallel()
	const limit, count = 2, 12
	var underWay, most atomic.Int64
	goOn := make(chan struct{})
	crowded := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		now := underWay.Add(1)
		defer underWay.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		select {
		case <-goOn:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(crowded.Close)
	free := hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(
		destination("crowded", crowded.URL, fmt.Sprintf("concurrency: %d", limit)),
		destination("free", free.URL),
	))
	for i := range count {
		courier.accept(t, event("site_view", fmt.Sprint("evt_", i)), noEnvironment)
	}
	for i := range count {
		courier.awaitStatus(t, "free", fmt.Sprint("evt_", i), "delivered")
	}
	waitFor(t, "as many requests as are allowed", func() (int64, bool) { return underWay.Load(), underWay.Load() == limit })
	close(goOn)
	for i := range count {
		shown := courier.awaitStatus(t, "crowded", fmt.Sprint("evt_", i), "delivered")
		require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	}
	require.EqualValues(t, limit, most.Load())
	courier.stop(t)
}

// A program that stops gives back what waits for its turn; none of it counts as an attempt.
func TestStoppedWhileDeliveriesWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	data := t.TempDir()
	yaml := func(rate string) string {
		return configuration(destination("search-index", receiver.URL, "rate_limit: "+rate))
	}
	courier := start(t, data, yaml("0.01"))
	ids := []string{"evt_1", "evt_2", "evt_3"}
	for _, id := range ids {
		courier.accept(t, event("site_view", id), noEnvironment)
	}
	receiver.Next(t, t.Context())
	began := time.Now()
	courier.stop(t)
	require.Less(t, time.Since(began), 10*time.Second, "a turn is a hundred seconds away")

	courier = start(t, data, yaml("1000"))
	for _, id := range ids {
		shown := courier.awaitStatus(t, "search-index", id, "delivered")
		require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	}
	require.Len(t, receiver.Requests(), len(ids))
	courier.stop(t)
}
