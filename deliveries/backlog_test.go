package deliveries

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/gitbook-courier/courier/workflows"
)

func TestBacklogs(t *testing.T) {
	t.Parallel()
	temporal, v := newVisibility(t,
		to(t, "evt_1", "search", -1, running, workflows.StateHeld),
		to(t, "evt_2", "search", -200, running, workflows.StateRetrying),
		to(t, "evt_3", "search", -300, completed, ""),
		to(t, "evt_4", "installation.inst_1", -3, running, ""),
		to(t, "evt_5", "installation.inst_2", -3, pausedRun, ""),
		holdOf(t, "search", running, workflows.HoldStateHeld, workflows.HoldFailing),
		holdOf(t, "alerts", running, workflows.HoldStateReleasing, workflows.HoldPaused),
	)
	h := NewHolds(newStore(t, temporal, parseConfig(t, twoDestinations), at0))
	all, err := h.Backlogs(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 3)
	for i, age := range []time.Duration{200 * time.Minute, 0, 3 * time.Minute} {
		require.InDelta(t, age.Seconds(), all[i].Oldest.Seconds(), 0.05*age.Seconds())
		all[i].Oldest = 0
	}
	require.Equal(t, []Backlog{
		{Destination: "search", Waiting: 2, Held: 1, Hold: "failing"},
		{Destination: "alerts"},
		{Destination: "installation", Waiting: 2},
	}, all)

	v.err = serviceerror.NewUnavailable("down")
	_, err = h.Backlogs(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
}
