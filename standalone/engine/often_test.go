package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAMessageIsLoggedOnceInAWhile(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	o := newOften(func() time.Time { return now })
	_, logged := o.allow("disk is full")
	require.True(t, logged)
	for range 70_000 {
		_, logged = o.allow("disk is full")
		require.False(t, logged)
	}
	_, logged = o.allow("another")
	require.True(t, logged)
	now = now.Add(repeatAfter)
	suppressed, logged := o.allow("disk is full")
	require.True(t, logged)
	require.Equal(t, 70_000, suppressed)
}
