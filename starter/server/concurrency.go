package server

import "time"

const (
	// targetLatency is how long storing one delivery may take before fewer events are taken in at
	// once.
	targetLatency = 500 * time.Millisecond
	// minConcurrency is the least limit, and initialConcurrency the first.
	minConcurrency, initialConcurrency = 2, 8
	// A decrease multiplies the limit by strongBackoff to weakBackoff.
	strongBackoff, weakBackoff = 0.25, 0.9
)

// concurrencyLimit is how many requests may be served at once. It adapts to how long storing a
// delivery takes, by additive increase and multiplicative decrease (AIMD): an overloaded engine is
// given less to do at once, and the rest is refused before any work is begun, rather than accepted
// and stored late.
//
// It is not safe for concurrent use; gate guards it.
type concurrencyLimit struct {
	limit, most float64
	decreased   time.Time
}

// newConcurrencyLimit adapts between a small minimum and most, and starts low: it grows within a
// few round trips where the engine is fast.
func newConcurrencyLimit(most int) concurrencyLimit {
	return concurrencyLimit{limit: float64(min(initialConcurrency, most)), most: float64(most)}
}

// fixedConcurrency does not adapt, because nothing is observed.
func fixedConcurrency(most int) concurrencyLimit {
	return concurrencyLimit{limit: float64(most), most: float64(most)}
}

// slots is the limit as a number of requests.
func (c *concurrencyLimit) slots() int { return int(c.limit) }

// observe takes the latency of one delivery that was stored at now, while inUse requests were
// served.
//
// The limit grows only while it is reached, by about one in each round trip; far below the target
// it doubles. It shrinks at most once in a round trip, towards the concurrency at which the latency
// would be the target.
func (c *concurrencyLimit) observe(now time.Time, latency time.Duration, inUse int) {
	switch {
	case latency > targetLatency:
		if now.Add(-latency).Before(c.decreased) {
			return // it began under the limit before
		}
		backoff := min(max(float64(targetLatency)/float64(latency), strongBackoff), weakBackoff)
		c.limit = max(min(c.limit, float64(inUse))*backoff, min(minConcurrency, c.most))
		c.decreased = now
	case inUse < c.slots():
	case latency < targetLatency/4:
		c.limit = min(c.limit+1, c.most)
	default:
		c.limit = min(c.limit+1/c.limit, c.most)
	}
}
