package main

import "context"

// latencyRate is in events a second.
const latencyRate = 20

func (b *bench) latency(ctx context.Context, r *result) error {
	return b.withCourier(ctx, r, always200, []destination{{name: "fast"}}, func(c *courier, to *receiver) (costed, error) {
		n := latencyRate * b.sized(30, 5)
		d, err := c.delays(ctx, to, latencyRate, n, r)
		r.addDelays(d, targetLatencyP50, targetLatencyP99)
		return costed{events: n}, err
	})
}

// steadyRate is in events a second.
const steadyRate = 200

func (b *bench) steady(ctx context.Context, r *result) error {
	return b.withCourier(ctx, r, always200, []destination{{name: "fast"}}, func(c *courier, to *receiver) (costed, error) {
		n := steadyRate * b.sized(20, 5)
		d, err := c.delays(ctx, to, steadyRate, n, r)
		r.addDelays(d, nil, nil)
		return costed{events: n, memoryTarget: targetMemory}, err
	})
}

// delays warms up, posts n events at a rate a second and waits for them.
func (c *courier) delays(ctx context.Context, to *receiver, rate float64, n int, r *result) (delays, error) {
	if err := c.warmUp(ctx, to, anySpace); err != nil {
		return delays{}, err
	}
	posts, refused, err := c.open(ctx, rate, n, func(int) payload { return small(anySpace) })
	if err != nil {
		return delays{}, err
	}
	r.judge("refused", "events", float64(refused), targetNone)
	r.judge("lost", "events", float64(to.await(ctx, posts)), targetNone)
	return delaysOf(to, posts), nil
}
