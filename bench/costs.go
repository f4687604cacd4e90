package main

import "time"

// costs are what the events of a scenario took.
type costs struct {
	costed
	// cpu is in user and system mode together, own that of the benchmark itself, which is the
	// sender and the receiver.
	cpu, own time.Duration
	// allocated is in bytes, of all events; 0 when it is not known.
	allocated int64
	// disk is the growth of the databases in bytes for each event.
	disk float64
	// atRest and peak are resident memory in bytes, before the events and at most.
	atRest, peak int64
}

// costed is how many events were sent, and the targets that their costs are held against, nil where
// there is none.
type costed struct {
	events                  int
	cpuTarget, memoryTarget *target
}

// addCosts reports costs.
func (r *result) addCosts(c costs) {
	events := float64(c.events)
	r.judge("CPU for each event", "ms", ratio(milliseconds(c.cpu), events), c.cpuTarget)
	r.addOwn(c.own, c.events)
	if c.allocated > 0 {
		r.add("allocated for each event", "KiB", ratio(kibibytes(float64(c.allocated)), events))
	}
	r.add("disk for each event", "KiB", kibibytes(c.disk))
	if c.atRest > 0 {
		r.add("memory at rest", "MiB", mebibytes(c.atRest))
	}
	r.judge("memory at most", "MiB", mebibytes(c.peak), c.memoryTarget)
}

// addOwn reports which share of the processor the benchmark itself has taken.
func (r *result) addOwn(own time.Duration, events int) {
	r.add("CPU of sender and receiver for each event", "ms", ratio(milliseconds(own), float64(events)))
}

func kibibytes(bytes float64) float64 { return bytes / (1 << 10) }

func mebibytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
