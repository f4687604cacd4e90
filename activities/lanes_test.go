package activities

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLaneClosesForASlowDestination(t *testing.T) {
	t.Parallel()
	l := newLanes()
	require.True(t, l.enter("slow", noon))
	require.True(t, l.enter("slow", noon.Add(slowAttempt)))
	require.False(t, l.enter("slow", noon.Add(slowAttempt+1)), "the first has been under way for too long")
	require.True(t, l.enter("other", noon.Add(slowAttempt+1)))
	l.leave("slow", noon)
	require.True(t, l.enter("slow", noon.Add(slowAttempt+1)))

	l.report("was slow", true, slowAttempt, noon)
	require.True(t, l.enter("was slow", noon))
	l.leave("was slow", noon)
	l.report("was slow", true, slowAttempt+1, noon)
	require.False(t, l.enter("was slow", noon.Add(laneClosed-1)))
	require.True(t, l.enter("was slow", noon.Add(laneClosed)))
}

func TestLaneIsBounded(t *testing.T) {
	t.Parallel()
	l := newLanes()
	for range laneWidth {
		require.True(t, l.enter("busy", noon))
	}
	require.False(t, l.enter("busy", noon))
	l.leave("busy", noon)
	require.True(t, l.enter("busy", noon))
}
