package deliveries

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
)

func TestHours(t *testing.T) {
	t.Parallel()
	failedRun := enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	temporal, v := newVisibility(t,
		to(t, "evt_1", "search", -1, completed, ""), // it ends a minute after it starts
		to(t, "evt_2", "search", -2, completed, ""),
		to(t, "evt_3", "search", -3, failedRun, ""),
		to(t, "evt_4", "search", -24*60, completed, ""), // too long ago
		to(t, "evt_5", "alerts", -2, completed, ""),
		to(t, "evt_6", "search", -2, running, ""),
	)
	now := noon
	f := NewFigures(newStore(t, temporal, parseConfig(t, twoDestinations), func() time.Time { return now }))
	hours, err := f.Hours(t.Context(), "search")
	require.NoError(t, err)
	require.Len(t, hours, FigureHours)
	require.Equal(t, noon.Add(-23*time.Hour), hours[0].Start)
	require.Equal(t, Hour{Start: noon.Add(-time.Hour), Delivered: 1, Undelivered: 1}, hours[22])
	require.Equal(t, Hour{Start: noon, Delivered: 1}, hours[23])

	asked := v.asked()
	_, err = f.Hours(t.Context(), "search")
	require.NoError(t, err)
	require.Equal(t, asked, v.asked(), "nothing is asked twice within seconds")

	now = noon.Add(2 * time.Minute)
	_, err = f.Hours(t.Context(), "search")
	require.NoError(t, err)
	require.Equal(t, asked+2, v.asked(), "the hour that is not over, and the one that was not settled")

	now = noon.Add(time.Hour)
	hours, err = f.Hours(t.Context(), "search")
	require.NoError(t, err)
	require.Equal(t, noon.Add(-22*time.Hour), hours[0].Start)
	require.Len(t, f.known, FigureHours, "what is not shown any more is forgotten")
}

func TestHoursOfNoDestination(t *testing.T) {
	t.Parallel()
	temporal, v := newVisibility(t)
	f := NewFigures(newStore(t, temporal, parseConfig(t, twoDestinations), at0))
	for _, name := range []string{"other", "\x00"} {
		_, err := f.Hours(t.Context(), name)
		require.ErrorIs(t, err, ErrDestinationUnknown)
	}
	v.err = serviceerror.NewUnavailable("down")
	_, err := f.Hours(t.Context(), "search")
	require.ErrorIs(t, err, ErrUnavailable)
}
