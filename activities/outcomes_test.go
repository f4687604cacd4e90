package activities

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOutcomesForgetTheOldest(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	at := func(i int) time.Time { return noon.Add(time.Duration(i) * time.Second) }
	o := newOutcomes()
	require.True(t, o.wouldKnow(noon), "nothing has been forgotten")
	for i := range maxRecalled + 2 {
		o.remember(fmt.Sprint(i), at(i), outcome{})
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, maxRecalled + 1: true} {
		_, got := o.recall(fmt.Sprint(i))
		require.Equal(t, want, got, i)
	}
	require.Len(t, o.byRun, maxRecalled)
	require.False(t, o.wouldKnow(at(1)))
	require.True(t, o.wouldKnow(at(2)))
}

func TestOutcomesKeepTheLatestAttemptOfARun(t *testing.T) {
	t.Parallel()
	o := newOutcomes()
	first, isNew := o.begin("run", false, time.Time{})
	require.True(t, isNew)
	_, over := o.recall("run")
	require.False(t, over, "it is under way")
	same, isNew := o.begin("run", true, time.Time{})
	require.False(t, isNew)
	require.Same(t, first, same)
	first.end(outcome{log: []Attempt{{Number: 1}}})
	o.remember("run", time.Time{}, outcome{log: []Attempt{{Number: 1}, {Number: 2}}})
	latest, over := o.recall("run")
	require.True(t, over)
	require.Len(t, latest.log, 2)
	require.Len(t, o.order, 1)
}
