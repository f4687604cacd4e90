package main

import "context"

func (b *bench) throughput(ctx context.Context, r *result) error {
	return b.withCourier(ctx, r, always200, []destination{{name: "fast"}}, func(c *courier, to *receiver) (costed, error) {
		if err := c.warmUp(ctx, to, anySpace); err != nil {
			return costed{}, err
		}
		posts, err := c.closed(ctx, concurrentSenders, lasting(seconds(b.sized(20, 4))), func() payload { return small(anySpace) })
		if err != nil {
			return costed{}, err
		}
		lost := to.await(ctx, posts)
		last, err := to.last(posts)
		if err != nil {
			return costed{}, err
		}
		began, accepted := span(posts)
		delivered := perSecond(len(posts)-lost, last.Sub(began))
		r.add("accepted", "/s", perSecond(len(posts), accepted.Sub(began)))
		r.judge("delivered", "/s", delivered, targetDelivered)
		r.judge("lost", "events", float64(lost), targetNone)
		if b.floors != nil {
			r.judge("delivered, of the plain floor", "", ratio(delivered, b.floors[floorPlain]), targetFloorRatio)
			r.judge("delivered, of the listed floor", "", ratio(delivered, b.floors[floorListed]), targetFloorRatio)
		}
		r.addDelays(delaysOf(to, posts), nil, nil)
		return costed{events: len(posts), cpuTarget: targetCPU}, nil
	})
}
