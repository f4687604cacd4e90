package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// retryRate is in events a second.
const retryRate = 5

// schedule is Courier's default; jitter is the part of a wait by which Courier may lengthen it.
var schedule = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

const jitter = 0.1

func (b *bench) retry(ctx context.Context, r *result) error {
	failThrice := func(path string, n int) (int, time.Duration) {
		if path == "/flaky" && n < len(schedule) {
			return http.StatusServiceUnavailable, 0
		}
		return http.StatusOK, 0
	}
	destinations := []destination{{name: "flaky", space: anySpace}, {name: "fast", space: fastSpace}}
	return b.withCourier(ctx, r, failThrice, destinations, func(c *courier, to *receiver) (costed, error) {
		if err := c.warmUp(ctx, to, fastSpace); err != nil {
			return costed{}, err
		}
		posts, refused, err := c.open(ctx, retryRate, b.sized(50, 15), func(int) payload { return small(anySpace) })
		if err != nil {
			return costed{}, err
		}
		r.judge("refused", "events", float64(refused), targetNone)
		if lost := to.await(ctx, posts); lost > 0 {
			return costed{}, fmt.Errorf("%d of %d events were lost", lost, len(posts))
		}
		// The reads below are no cost of the events.
		if err := c.end(ctx); err != nil {
			return costed{}, err
		}
		var w waits
		for _, p := range posts {
			drawn, err := c.drawn(ctx, "flaky", p.id)
			if err != nil {
				return costed{}, err
			}
			w.add(to.requests(p.id), drawn)
		}
		w.report(r)
		return costed{events: len(posts)}, nil
	})
}

// drawn are the waits that a delivery's attempt log says were drawn.
func (c *courier) drawn(ctx context.Context, destination, eventID string) ([]time.Duration, error) {
	var shown struct {
		Runs []struct {
			Attempts []struct {
				WaitMs int64 `json:"waitMs"`
			} `json:"attempts"`
		} `json:"runs"`
	}
	if err := c.get(ctx, deliveryPath(destination, eventID), &shown); err != nil {
		return nil, err
	}
	var all []time.Duration
	for _, run := range shown.Runs {
		for _, attempt := range run.Attempts {
			all = append(all, time.Duration(attempt.WaitMs)*time.Millisecond)
		}
	}
	return all, nil
}

// waits are the waits between attempts, against what they should have been.
type waits struct {
	// beyond is by how much a wait was longer than the schedule and its jitter allow, beyondDrawn
	// by how much it was longer than the one drawn. Both are in milliseconds.
	beyond, beyondDrawn []float64
	// early is how many waits were shorter than the schedule, odd how many events came in more or
	// fewer requests than the schedule has attempts.
	early, odd int
}

// add takes the requests for one event, and the waits drawn between them.
func (w *waits) add(requests []arrival, drawn []time.Duration) {
	if len(requests) != len(schedule)+1 || len(drawn) < len(schedule) {
		w.odd++
		return
	}
	for i, scheduled := range schedule {
		wait := requests[i+1].at.Sub(requests[i].answered)
		longest := scheduled + time.Duration(jitter*float64(scheduled))
		w.beyond = append(w.beyond, milliseconds(max(0, wait-longest)))
		w.beyondDrawn = append(w.beyondDrawn, milliseconds(wait-drawn[i]))
		if wait < scheduled {
			w.early++
		}
	}
}

func (w *waits) report(r *result) {
	r.judge("beyond the schedule and 10 %, p50", "ms", percentile(w.beyond, 50), targetExcessP50)
	r.judge("beyond the schedule and 10 %, p99", "ms", percentile(w.beyond, 99), targetExcessP99)
	r.add("beyond the schedule and 10 %, worst", "ms", percentile(w.beyond, 100))
	r.judge("beyond the wait drawn, p50", "ms", percentile(w.beyondDrawn, 50), targetExcessP50)
	r.judge("beyond the wait drawn, p99", "ms", percentile(w.beyondDrawn, 99), targetExcessP99)
	r.add("beyond the wait drawn, worst", "ms", percentile(w.beyondDrawn, 100))
	r.judge("waits shorter than the schedule", "", float64(w.early), targetNone)
	r.judge("events not in 4 requests", "", float64(w.odd), targetNone)
}
