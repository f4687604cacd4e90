package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// at is a time so many milliseconds after an arbitrary one.
func at(ms int) time.Time {
	return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC).Add(time.Duration(ms) * time.Millisecond)
}

func TestDelaysCountToTheFirstArrival(t *testing.T) {
	t.Parallel()
	to := &receiver{arrivals: map[string][]arrival{
		"evt_1": {{at: at(15)}, {at: at(1015)}},
		"evt_2": {{at: at(27)}},
	}}
	posts := []post{
		{id: "evt_1", posted: at(10), accepted: at(12)},
		{id: "evt_2", posted: at(20), accepted: at(30)},
		{id: "evt_lost", posted: at(40), accepted: at(41)},
	}
	require.Equal(t, delays{fromPost: []float64{5, 7}, fromAnswer: []float64{3, -3}}, delaysOf(to, posts))

	began, accepted := span(posts)
	require.Equal(t, at(10), began)
	require.Equal(t, at(41), accepted)
}

func TestWaitsAgainstTheScheduleAndWhatWasDrawn(t *testing.T) {
	t.Parallel()
	drawn := []time.Duration{1050 * time.Millisecond, 2 * time.Second, 4400 * time.Millisecond}
	requests := []arrival{
		{at: at(0), answered: at(1)},
		{at: at(1061), answered: at(1062)}, // 1060 ms: 10 more than drawn, less than 1100
		{at: at(3412), answered: at(3413)}, // 2350 ms: 350 more than drawn, 150 more than 2200
		{at: at(7412), answered: at(7413)}, // 3999 ms: earlier than the schedule has it
	}
	var w waits
	w.add(requests, drawn)
	w.add(requests[:3], drawn)
	require.Equal(t, waits{
		beyond:      []float64{0, 150, 0},
		beyondDrawn: []float64{10, 350, -401},
		early:       1,
		odd:         1,
	}, w)
}
