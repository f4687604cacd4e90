package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHeapTraceAddsUpWhatIsAllocated(t *testing.T) {
	t.Parallel()
	var h heapTrace
	require.Zero(t, h.allocated())
	// 4 MB until the first collection and 1 during it; then, from the 2 that live, 6 more and none
	// during it.
	require.True(t, h.line("gc 1 @0.019s 1%: 0.01+0.3+0.01 ms clock, 0.03+0.1/0.2/0+0.02 ms cpu, 4->5->2 MB, 4 MB goal, 0 MB stacks, 0 MB globals, 2 P"))
	require.True(t, h.line("gc 2 @0.045s 2%: 0.01+0.3+0.01 ms clock, 0.03+0.1/0.2/0+0.02 ms cpu, 8->8->3 MB, 8 MB goal, 0 MB stacks, 0 MB globals, 2 P (forced)"))
	require.EqualValues(t, 11<<20, h.allocated())
	for _, other := range []string{"", "level=INFO msg=listening", "gc took 4->5->2 MB"} {
		require.False(t, h.line(other), other)
	}
	require.EqualValues(t, 11<<20, h.allocated())
}
