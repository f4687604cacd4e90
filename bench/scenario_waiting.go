package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// waitingRetries has a delivery wait for longer than the scenario lasts.
const waitingRetries = "1h"

func (b *bench) waiting(ctx context.Context, r *result) error {
	unavailable := func(string, int) (int, time.Duration) { return http.StatusServiceUnavailable, 0 }
	return b.withCourier(ctx, r, unavailable, []destination{{name: "down", retries: waitingRetries}}, func(c *courier, to *receiver) (costed, error) {
		kilobytes, mebibytes := b.sized(10_000, 500), b.sized(1000, 20)
		err := c.leaveWaiting(ctx, to, r, "1 KB", kilobytes, func() payload { return kilobyte(anySpace) })
		if err != nil {
			return costed{}, err
		}
		err = c.leaveWaiting(ctx, to, r, "1 MiB", mebibytes, func() payload { return large(anySpace, typed) })
		return costed{events: kilobytes + mebibytes}, err
	})
}

// leaveWaiting posts n events, and reports by how much the resident memory has grown when each has
// had its first request and the program is at rest.
func (c *courier) leaveWaiting(ctx context.Context, to *receiver, r *result, size string, n int, next func() payload) error {
	before, err := settle(ctx, c.pid())
	if err != nil {
		return err
	}
	var (
		mu    sync.Mutex
		posts []post
	)
	err = loop(ctx, concurrentSenders, times(n), func(ctx context.Context) error {
		p, _, err := c.insist(ctx, next())
		mu.Lock()
		defer mu.Unlock()
		posts = append(posts, p)
		return err
	})
	if err != nil {
		return err
	}
	after, err := settle(ctx, c.pid())
	if err != nil {
		return err
	}
	unsent := 0
	for _, p := range posts {
		if len(to.requests(p.id)) == 0 {
			unsent++
		}
	}
	r.judge("not attempted yet", "events of "+size, float64(unsent), targetNone)
	r.add(fmt.Sprintf("memory more with %d waiting, each of %s", n, size), "MiB", mebibytes(after.rss-before.rss))
	return nil
}
