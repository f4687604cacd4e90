package main

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// outageRetries are the waits of the destination with the outage.
const outageRetries = "5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s, 5s"

func (b *bench) outage(ctx context.Context, r *result) error {
	lasts, n := seconds(b.sized(30, 10)), b.sized(1000, 200)
	var over atomic.Bool
	during := func(string, int) (int, time.Duration) {
		if over.Load() {
			return http.StatusOK, 0
		}
		return http.StatusServiceUnavailable, 0
	}
	return b.withCourier(ctx, r, during, []destination{{name: "down", retries: outageRetries}}, func(c *courier, to *receiver) (costed, error) {
		end := time.Now().Add(lasts)
		ending := time.AfterFunc(lasts, func() { over.Store(true) })
		defer ending.Stop()
		// The events come evenly, and the last of them still during the outage.
		posts, refused, err := c.open(ctx, float64(n)/lasts.Seconds(), n, func(int) payload { return small(anySpace) })
		if err != nil {
			return costed{}, err
		}
		lost := to.await(ctx, posts)
		last, err := to.last(posts)
		if err != nil {
			return costed{}, err
		}
		requests := 0
		for _, p := range posts {
			requests += len(to.requests(p.id))
		}
		r.judge("last delivered after the end", "s", last.Sub(end).Seconds(), targetOutage)
		r.judge("refused", "events", float64(refused), targetNone)
		r.judge("lost", "events", float64(lost), targetNone)
		r.add("requests for each event", "", ratio(float64(requests), float64(n)))
		return costed{events: n}, nil
	})
}
