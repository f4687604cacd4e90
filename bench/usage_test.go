package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseUsage(t *testing.T) {
	t.Parallel()
	const (
		// The command holds what could be taken for the fields after it.
		stat   = "4711 (a) S (b) S 1 4711 4711 0 -1 4194560 900 0 0 0 150 25 0 0 20 0 9 0 12345 1 2 3"
		status = "Name:\ta) S (b\nVmPeak:\t  900000 kB\nVmHWM:\t  204800 kB\nVmRSS:\t  102400 kB\n"
	)
	got, err := parseUsage(stat, status)
	require.NoError(t, err)
	require.Equal(t, usage{cpu: 1750 * time.Millisecond, rss: 100 << 20, peak: 200 << 20}, got)

	_, err = parseUsage("4711 (a) Z", status)
	require.Error(t, err)
	_, err = parseUsage(stat, "Name:\tzombie\n")
	require.Error(t, err)
}
