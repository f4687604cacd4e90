package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// exact is how much the results may differ from what is wanted: these values have no rounding.
const exact = 0

func TestPercentile(t *testing.T) {
	t.Parallel()
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(100 - i) // not sorted
	}
	tests := []struct {
		name  string
		give  []float64
		giveP float64
		want  float64
	}{
		{"none", nil, 50, 0},
		{"one", []float64{7}, 99, 7},
		{"p50 of a hundred", hundred, 50, 50},
		{"p99 of a hundred", hundred, 99, 99},
		{"worst of a hundred", hundred, 100, 100},
		{"least of a hundred", hundred, 0, 1},
		{"p50 of three", []float64{3, 1, 2}, 50, 2},
		{"p50 of four is one of them", []float64{4, 3, 2, 1}, 50, 2},
		{"p99 of few is the worst", []float64{1, 2, 30}, 99, 30},
		{"below zero", []float64{-2, -1, 5}, 50, -1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.InDelta(t, tt.want, percentile(tt.give, tt.giveP), exact)
		})
	}
	require.InDelta(t, 100, hundred[0], exact, "the values keep their order")
}

func TestMedian(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give []float64
		want float64
	}{
		{"none", nil, 0},
		{"one", []float64{7}, 7},
		{"odd", []float64{9, 1, 5}, 5},
		{"even", []float64{4, 1, 3, 2}, 2.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.InDelta(t, tt.want, median(tt.give), exact)
		})
	}
}

func TestRatesAndRatios(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 250, perSecond(500, 2*time.Second), exact)
	require.Zero(t, perSecond(500, 0))
	require.InDelta(t, 1.5, ratio(3, 2), exact)
	require.Zero(t, ratio(3, 0), "there is nothing to compare with")
	require.InDelta(t, 1.5, milliseconds(1500*time.Microsecond), exact)
}
