package main

import "fmt"

// Targets on a machine with two cores. The report shows them beside the results.
var (
	targetDelivered   = atLeast(246) // events a second
	targetCPU         = atMost(5)    // milliseconds for each event
	targetFloorRatio  = atLeast(0.9)
	targetMemory      = atMost(400) // MiB at 200 events a second
	targetLatencyP50  = atMost(8)   // milliseconds
	targetLatencyP99  = atMost(30)
	targetExcessP50   = atMost(20) // milliseconds beyond the schedule and its 10 %
	targetExcessP99   = atMost(100)
	targetOutage      = atMost(10) // seconds after its end
	targetBesideP50   = atMost(10) // milliseconds
	targetBesideP99   = atMost(45)
	targetBesideRatio = atMost(1.5)
	targetList        = atMost(300)   // milliseconds
	targetLookedOn    = atLeast(0.95) // of what is delivered when nobody looks on
	targetNone        = atMost(0)     // of what must not happen
)

// target is a bound that a metric is held against.
type target struct {
	AtLeast *float64 `json:"atLeast,omitempty"`
	AtMost  *float64 `json:"atMost,omitempty"`
}

func atLeast(bound float64) *target { return &target{AtLeast: &bound} }

func atMost(bound float64) *target { return &target{AtMost: &bound} }

// met is whether a value reaches the target.
func (t *target) met(value float64) bool {
	if t.AtLeast != nil {
		return value >= *t.AtLeast
	}
	return value <= *t.AtMost
}

// String is the target as the table shows it.
func (t *target) String() string {
	if t.AtLeast != nil {
		return fmt.Sprintf("≥ %g", *t.AtLeast)
	}
	return fmt.Sprintf("≤ %g", *t.AtMost)
}
