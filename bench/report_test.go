package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReportHasTheMedianOfTheRuns(t *testing.T) {
	t.Parallel()
	var r report
	sc := scenario{name: "throughput", about: "as fast as it goes"}
	for _, delivered := range []float64{300, 100, 250} {
		run := new(result)
		run.judge("delivered", "/s", delivered, atLeast(246))
		run.judge("CPU for each event", "ms", 5.25, atMost(5))
		run.add("accepted", "/s", 2*delivered)
		r.add(sc, run)
	}
	met, missed := true, false
	require.Equal(t, []*section{{Name: "throughput", About: "as fast as it goes", Metrics: []metric{
		{Name: "delivered", Unit: "/s", Value: 250, Runs: []float64{300, 100, 250}, Target: atLeast(246), Met: &met},
		{Name: "CPU for each event", Unit: "ms", Value: 5.25, Runs: []float64{5.25, 5.25, 5.25}, Target: atMost(5), Met: &missed},
		{Name: "accepted", Unit: "/s", Value: 500, Runs: []float64{600, 200, 500}},
	}}}, r.Scenarios)

	var table bytes.Buffer
	r.print(&table)
	require.Equal(t, `
throughput: as fast as it goes
  delivered           250   /s  target ≥ 246  met
  CPU for each event  5.25  ms  target ≤ 5  MISSED
  accepted            500   /s  
`, table.String())
}

func TestTargetIsMetAtItsBound(t *testing.T) {
	t.Parallel()
	require.True(t, atLeast(246).met(246))
	require.False(t, atLeast(246).met(245.9))
	require.True(t, atMost(0).met(0))
	require.False(t, atMost(5).met(5.1))
}

func TestReportHasTheMedianOfTheRounds(t *testing.T) {
	t.Parallel()
	var r report
	sc := scenario{name: "throughput", about: "by turns"}
	for _, run := range [][]float64{{300, 100}, {250, 200}} {
		all := new(result)
		for _, delivered := range run {
			one := &round{rates: map[string]float64{turnCourier: delivered, "plain": 400, "awaited": 250, "listed": 200}}
			one.courier.add("delivered", "/s", delivered)
			one.report(all)
		}
		r.add(sc, all)
	}
	values := make(map[string]float64)
	for _, m := range r.Scenarios[0].Metrics {
		values[m.Name] = m.Value
		require.Len(t, m.Runs, 4, m.Name)
	}
	require.Equal(t, map[string]float64{
		"delivered":                       225,
		"delivered, of the plain floor":   0.5625,
		"delivered, of the awaited floor": 0.9,
		"delivered, of the listed floor":  1.125,
	}, values)
}

// A line is divided by the other build's of the same name and round.
func TestAgainst(t *testing.T) {
	t.Parallel()
	line := func(name string, value float64) metric { return metric{Name: name, Runs: []float64{value}} }
	got := against([]metric{line("CPU", 2), line("new", 1), line("delivered", 300)}, []metric{line("delivered", 200), line("CPU", 4)})
	require.Equal(t, []metric{{Name: "CPU", Value: 0.5}, {Name: "delivered", Value: 1.5}}, got)
}
