package main

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// neighbourRate is the rate of the events to the fast destination, and of those to the slow
	// one, in events a second.
	neighbourRate = 10
	// slowAnswer is how long the slow destination takes: a little less than the timeout of an
	// attempt.
	slowAnswer = 9 * time.Second
)

// The spaces whose events the destinations of the scenario get.
const (
	fastSpace = "space_fast"
	slowSpace = "space_slow"
	deadSpace = "space_dead"
)

// deadURL is where nobody listens: connections to it are refused.
const deadURL = "http://127.0.0.1:1/"

func (b *bench) neighbour(ctx context.Context, r *result) error {
	slowly := func(path string, _ int) (int, time.Duration) {
		if path == "/slow" {
			return http.StatusOK, slowAnswer
		}
		return http.StatusOK, 0
	}
	destinations := []destination{
		{name: "fast", space: fastSpace},
		{name: "slow", space: slowSpace},
		{name: "dead", space: deadSpace, url: deadURL, retries: "1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m, 1m"},
	}
	return b.withCourier(ctx, r, slowly, destinations, func(c *courier, to *receiver) (costed, error) {
		if err := c.warmUp(ctx, to, fastSpace); err != nil {
			return costed{}, err
		}
		n := neighbourRate * b.sized(20, 5)
		alone, err := c.fastDelays(ctx, to, neighbourRate, n, func(int) string { return fastSpace })
		if err != nil {
			return costed{}, err
		}
		slow, err := c.fastDelays(ctx, to, 2*neighbourRate, 2*n, func(i int) string {
			if i%2 == 0 {
				return fastSpace
			}
			return slowSpace
		})
		if err != nil {
			return costed{}, err
		}
		waiting := b.sized(1000, 200)
		if _, err := c.closed(ctx, concurrentSenders, times(waiting), func() payload { return small(deadSpace) }); err != nil {
			return costed{}, err
		}
		if _, err := settle(ctx, c.pid()); err != nil {
			return costed{}, err
		}
		dead, err := c.fastDelays(ctx, to, neighbourRate, n, func(int) string { return fastSpace })
		if err != nil {
			return costed{}, err
		}
		r.add("alone, p50", "ms", percentile(alone, 50))
		r.add("alone, p99", "ms", percentile(alone, 99))
		r.addBeside("beside one that answers after 9 s", slow, alone)
		r.addBeside(fmt.Sprintf("beside %d waiting for a dead one", waiting), dead, alone)
		return costed{events: 4*n + waiting}, nil
	})
}

// fastDelays posts n events to these spaces and returns how long those to the fast destination
// took, in milliseconds.
func (c *courier) fastDelays(ctx context.Context, to *receiver, rate float64, n int, space func(i int) string) ([]float64, error) {
	posts, refused, err := c.open(ctx, rate, n, func(i int) payload { return small(space(i)) })
	if err != nil {
		return nil, err
	}
	if refused > 0 {
		return nil, fmt.Errorf("%d of %d events were refused", refused, n)
	}
	if lost := to.await(ctx, posts); lost > 0 {
		return nil, fmt.Errorf("%d of %d events were lost", lost, len(posts))
	}
	var fast []post
	for _, p := range posts {
		if p.space == fastSpace {
			fast = append(fast, p)
		}
	}
	return delaysOf(to, fast).fromPost, nil
}

// addBeside reports delays beside a neighbour against those without one.
func (r *result) addBeside(where string, beside, alone []float64) {
	p50, p99 := percentile(beside, 50), percentile(beside, 99)
	r.judge(where+", p50", "ms", p50, targetBesideP50)
	r.judge(where+", p99", "ms", p99, targetBesideP99)
	r.judge(where+", p50 against alone", "", ratio(p50, percentile(alone, 50)), targetBesideRatio)
	r.judge(where+", p99 against alone", "", ratio(p99, percentile(alone, 99)), targetBesideRatio)
}
