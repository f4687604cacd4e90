package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

const (
	// throughputRounds are how often Courier and the floors take turns, and turnSeconds how long
	// each turn lasts. The speed of a machine may vary by a third within minutes: only what runs
	// side by side can be compared.
	throughputRounds = 3
	turnSeconds      = 8
)

// turnCourier is Courier's turn among those of the floors, turnBaseline that of the other build.
const (
	turnCourier  = "courier"
	turnBaseline = "baseline"
)

// turns are those of the first round, in their order. The next round has them the other way round,
// so that a speed that drifts favours none.
func (b *bench) turns() []string {
	if b.baseline != "" { // the floors say nothing of it, and take time
		return []string{turnBaseline, turnCourier}
	}
	return []string{string(floorPlain), string(floorAwaited), turnCourier, string(floorListed)}
}

func (b *bench) throughput(ctx context.Context, r *result) error {
	if err := b.sizeOfEmpty(ctx); err != nil {
		return err
	}
	order, lost := b.turns(), 0
	rounds := make([]*round, b.sized(throughputRounds, 1))
	for n := range rounds {
		fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", n+1, len(rounds), strings.Join(order, ", "))
		var err error
		if rounds[n], err = b.throughputRound(ctx, order); err != nil {
			return err
		}
		lost += rounds[n].lost
		slices.Reverse(order)
	}
	// The median would hide those of a single round.
	r.judge("lost", "events", float64(lost), targetNone)
	for _, one := range rounds {
		one.report(r)
	}
	return nil
}

// round is what the turns of a round have measured.
type round struct {
	// courier, baseline and floors are the lines of the report for each, rates how many events or
	// workflows a second each turn has completed.
	courier, baseline, floors result
	rates                     map[string]float64
	lost                      int
}

// throughputRound takes the turns in this order, each with a fresh process: one that waits for its
// turn would take a share of the processor.
func (b *bench) throughputRound(ctx context.Context, order []string) (*round, error) {
	one, lasts := &round{rates: make(map[string]float64)}, seconds(b.sized(turnSeconds, 3))
	for _, turn := range order {
		var err error
		switch turn {
		case turnCourier:
			one.rates[turn], one.lost, err = b.courierTurn(ctx, &one.courier, lasts)
		case turnBaseline:
			other := *b
			other.program = b.baseline
			one.rates[turn], _, err = other.courierTurn(ctx, &one.baseline, lasts)
		default:
			one.rates[turn], err = b.floorTurn(ctx, &one.floors, floorKind(turn), lasts)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", turn, err)
		}
	}
	return one, nil
}

// report adds a round to those before it, with the ratios within it.
func (o *round) report(r *result) {
	r.merge(&o.courier)
	r.merge(&o.floors)
	for _, m := range against(o.courier.metrics, o.baseline.metrics) {
		r.add(m.Name+", of the baseline", "", m.Value)
	}
	for _, kind := range floorKinds() {
		if o.rates[string(kind)] == 0 {
			continue // it had no turn
		}
		of := ratio(o.rates[turnCourier], o.rates[string(kind)])
		r.judge(fmt.Sprintf("delivered, of the %s floor", kind), "", of, targetFloorRatio)
	}
}

// courierTurn has Courier deliver for a while, and returns how many events a second it has
// delivered and how many it has lost.
func (b *bench) courierTurn(ctx context.Context, r *result, lasts time.Duration) (rate float64, lost int, err error) {
	err = b.withCourier(ctx, r, always200, []destination{{name: "fast"}}, func(c *courier, to *receiver) (costed, error) {
		if err := c.warmUp(ctx, to, anySpace); err != nil {
			return costed{}, err
		}
		posts, err := c.closed(ctx, concurrentSenders, lasting(lasts), func() payload { return small(anySpace) })
		if err != nil {
			return costed{}, err
		}
		lost = to.await(ctx, posts)
		last, err := to.last(posts)
		if err != nil {
			return costed{}, err
		}
		began, accepted := span(posts)
		rate = perSecond(len(posts)-lost, last.Sub(began))
		r.judge("delivered", "/s", rate, targetDelivered)
		r.add("accepted", "/s", perSecond(len(posts), accepted.Sub(began)))
		r.addDelays(delaysOf(to, posts), nil, nil)
		return costed{events: len(posts), cpuTarget: targetCPU}, nil
	})
	return rate, lost, err
}

// against divides the lines of one result by those of the same name in another.
func against(these, those []metric) (ratios []metric) {
	for _, m := range these {
		for _, other := range those {
			if m.Name == other.Name && len(m.Runs) > 0 && len(other.Runs) > 0 {
				ratios = append(ratios, metric{Name: m.Name, Value: ratio(m.Runs[0], other.Runs[0])})
			}
		}
	}
	return ratios
}
