package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// storedShare is one of how many bodies is stored. Temporal keeps a body for as long as the
// retention lasts: all of them would be 10 GiB on the disk, and what is asked here is what happens
// to memory.
const storedShare = 20

// postAgainAfter is how long a sender waits before it posts an event again that could not be
// stored.
const postAgainAfter = time.Second

func (b *bench) bodies(ctx context.Context, r *result) error {
	return b.withCourier(ctx, r, always200, []destination{{name: "fast"}}, func(c *courier, to *receiver) (costed, error) {
		var (
			mu            sync.Mutex
			stored        []post
			number, again atomic.Int64
		)
		n := b.sized(10_000, 500)
		began := time.Now()
		err := loop(ctx, concurrentSenders, times(n), func(ctx context.Context) error {
			if number.Add(1)%storedShare != 0 {
				_, status, err := c.send(ctx, large(anySpace, untyped))
				if err == nil && status != http.StatusBadRequest {
					err = fmt.Errorf("a body without a type was answered %d", status)
				}
				return err
			}
			p, times, err := c.insist(ctx, large(anySpace, typed))
			again.Add(int64(times))
			mu.Lock()
			defer mu.Unlock()
			stored = append(stored, p)
			return err
		})
		if err != nil {
			return costed{}, err
		}
		took := time.Since(began)
		r.judge("lost", "events", float64(to.await(ctx, stored)), targetNone)
		r.add("bodies", "/s", perSecond(n, took))
		r.add("stored and delivered", "events", float64(len(stored)))
		r.add("answered 503 and posted again", "times", float64(again.Load()))
		r.add("refused after all of it was read", "requests", float64(n-len(stored)))
		return costed{events: n}, nil
	})
}

// insist posts an event until it is stored, as a sender does that must not lose it, and returns how
// often it was told to post it again.
func (s *sender) insist(ctx context.Context, p payload) (sent post, again int, err error) {
	for ; ; again++ {
		sent, status, err := s.send(ctx, p)
		if err != nil || status == http.StatusOK {
			return sent, again, err
		}
		if status != http.StatusServiceUnavailable {
			return sent, again, fmt.Errorf("an event was answered %d", status)
		}
		timer := time.NewTimer(postAgainAfter)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return sent, again, ctx.Err()
		}
	}
}
