package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// listedPages is how many pages of a list are read, one after the other.
	listedPages = 10
	// listedRounds is how often the lists are read.
	listedRounds = 3
	// reloadInterval is how often an operator's open pages are loaded again.
	reloadInterval = 2 * time.Second
)

// Destinations of the scenario, and the spaces whose events they get.
const (
	upSpace   = "space_up"
	downSpace = "space_down"
)

// lists reads every kind of page while Courier keeps many deliveries, then has it deliver with and
// without somebody who looks on.
func (b *bench) lists(ctx context.Context, r *result) error {
	answer := func(path string, _ int) (int, time.Duration) {
		if path == "/down" {
			return http.StatusServiceUnavailable, 0
		}
		return http.StatusOK, 0
	}
	destinations := []destination{{name: "up", space: upSpace}, {name: "down", space: downSpace, retries: waitingRetries}}
	return b.withCourier(ctx, r, answer, destinations, func(c *courier, to *receiver) (costed, error) {
		over, waiting := b.sized(45_000, 900), b.sized(5000, 100)
		for _, load := range []struct {
			space string
			n     int
		}{{upSpace, over / 2}, {downSpace, waiting}, {upSpace, over - over/2}} {
			err := loop(ctx, concurrentSenders, times(load.n), func(ctx context.Context) error {
				_, _, err := c.insist(ctx, small(load.space))
				return err
			})
			if err != nil {
				return costed{}, err
			}
		}
		if _, err := settle(ctx, c.pid()); err != nil {
			return costed{}, err
		}
		for range listedRounds {
			if err := c.readLists(ctx, r); err != nil {
				return costed{}, err
			}
		}
		looked, err := b.lookedOn(ctx, c, to, r)
		return costed{events: over + waiting + looked}, err
	})
}

// readLists reads each kind of page once, and reports the slowest of a kind.
func (s *sender) readLists(ctx context.Context, r *result) error {
	for _, status := range []string{"", "pending", "retrying", "held", "delivered", "undelivered"} {
		query := make(url.Values)
		if status != "" {
			query.Set("status", status)
		}
		slowest, err := s.readPages(ctx, query)
		if err != nil {
			return err
		}
		r.judge("slowest page of deliveries, "+named(status, "all"), "ms", milliseconds(slowest), targetList)
	}
	for _, destination := range []string{"up", "down"} {
		slowest, err := s.readPages(ctx, url.Values{"destination": {destination}, "type": {"space_content_updated"}})
		if err != nil {
			return err
		}
		r.judge("slowest page of deliveries to "+destination, "ms", milliseconds(slowest), targetList)
	}
	for _, path := range []string{"/api/destinations", "/api/destinations/up/hours", "/api/redeliveries", "/console", "/console/deliveries", "/console/deliveries?status=retrying"} {
		took, err := s.load(ctx, path)
		if err != nil {
			return err
		}
		r.judge(path, "ms", milliseconds(took), targetList)
	}
	return nil
}

func named(status, none string) string {
	if status == "" {
		return none
	}
	return status
}

// readPages reads the first pages of a list, and returns how long the slowest took.
func (s *sender) readPages(ctx context.Context, query url.Values) (slowest time.Duration, err error) {
	for range listedPages {
		var page struct {
			NextCursor string `json:"nextCursor"`
		}
		begun := time.Now()
		if err := s.get(ctx, "/api/deliveries?"+query.Encode(), &page); err != nil {
			return slowest, err
		}
		slowest = max(slowest, time.Since(begun))
		if page.NextCursor == "" {
			break
		}
		query.Set("cursor", page.NextCursor)
	}
	return slowest, nil
}

// load reads a page to its end.
func (s *sender) load(ctx context.Context, path string) (time.Duration, error) {
	begun := time.Now()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url(path), nil)
	if err != nil {
		return 0, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, response.Body)
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s was answered %d", path, response.StatusCode)
	}
	return time.Since(begun), errors.Join(err, response.Body.Close())
}

// lookedOn compares how many events a second are delivered while an operator's pages are open with
// how many are while none is, in turns.
func (b *bench) lookedOn(ctx context.Context, c *courier, to *receiver, r *result) (events int, err error) {
	lasts := seconds(b.sized(8, 2))
	for range listedRounds {
		alone, n, err := c.deliveredRate(ctx, to, lasts)
		if err != nil {
			return events, err
		}
		looking, stop := context.WithCancel(ctx)
		var operator sync.WaitGroup
		operator.Go(func() { c.look(looking) })
		beside, m, err := c.deliveredRate(ctx, to, lasts)
		stop()
		operator.Wait()
		if err != nil {
			return events, err
		}
		events += n + m
		r.judge("delivered while pages are open, against none", "", ratio(beside, alone), targetLookedOn)
	}
	return events, nil
}

// deliveredRate is how many events a second are delivered from a closed loop.
func (c *courier) deliveredRate(ctx context.Context, to *receiver, lasts time.Duration) (rate float64, n int, err error) {
	posts, err := c.closed(ctx, concurrentSenders, lasting(lasts), func() payload { return small(upSpace) })
	if err != nil {
		return 0, 0, err
	}
	lost := to.await(ctx, posts)
	last, err := to.last(posts)
	began, _ := span(posts)
	return perSecond(len(posts)-lost, last.Sub(began)), len(posts), err
}

// look loads an operator's pages again and again until ctx is done.
func (s *sender) look(ctx context.Context) {
	ticker := time.NewTicker(reloadInterval)
	defer ticker.Stop()
	for {
		for _, path := range []string{"/console", "/console/deliveries", "/api/deliveries?status=retrying", "/api/destinations"} {
			_, _ = s.load(ctx, path) // an error is the end, or shows in the rate
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}
