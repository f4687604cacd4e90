package main

import (
	"slices"
	"time"
)

// anySpace is the space of events where no destination asks for one.
const anySpace = "space_xyz789"

// delays are how long the first bytes of events took to the destination, in milliseconds.
type delays struct {
	// fromPost counts from the beginning of the request that brought the event in, fromAnswer from
	// its answer. The latter is negative for an event that was delivered before its sender had the
	// answer.
	fromPost, fromAnswer []float64
}

func delaysOf(to *receiver, posts []post) delays {
	var d delays
	for _, p := range posts {
		if all := to.requests(p.id); len(all) > 0 {
			d.fromPost = append(d.fromPost, milliseconds(all[0].at.Sub(p.posted)))
			d.fromAnswer = append(d.fromAnswer, milliseconds(all[0].at.Sub(p.accepted)))
		}
	}
	return d
}

// addDelays reports delays and holds those from the post against targets.
func (r *result) addDelays(d delays, p50, p99 *target) {
	r.judge("posted to first byte, p50", "ms", percentile(d.fromPost, 50), p50)
	r.judge("posted to first byte, p99", "ms", percentile(d.fromPost, 99), p99)
	r.add("posted to first byte, worst", "ms", percentile(d.fromPost, 100))
	r.add("accepted to first byte, p50", "ms", percentile(d.fromAnswer, 50))
	r.add("accepted to first byte, p99", "ms", percentile(d.fromAnswer, 99))
	r.add("accepted to first byte, worst", "ms", percentile(d.fromAnswer, 100))
}

// span is when the first event was posted and when the last was accepted.
func span(posts []post) (began, accepted time.Time) {
	if len(posts) == 0 {
		return began, accepted
	}
	first := slices.MinFunc(posts, func(a, b post) int { return a.posted.Compare(b.posted) })
	last := slices.MaxFunc(posts, func(a, b post) int { return a.accepted.Compare(b.accepted) })
	return first.posted, last.accepted
}
