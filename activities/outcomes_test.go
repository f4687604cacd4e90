package activities

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOutcomesForgetTheOldest(t *testing.T) {
	t.Parallel()
	o := newOutcomes()
	for i := range maxRecalled + 2 {
		o.remember(fmt.Sprint(i), firstAttempt{})
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, maxRecalled + 1: true} {
		_, got := o.recall(fmt.Sprint(i))
		require.Equal(t, want, got, i)
	}
	require.Len(t, o.byRun, maxRecalled)
}
