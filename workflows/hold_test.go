package workflows_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/testsuite"

	"github.com/gitbook-courier/courier/workflows"
)

// holdEnv is a time-skipping environment for Hold, with activities that a test controls.
type holdEnv struct {
	*testsuite.TestWorkflowEnvironment

	mu       sync.Mutex
	healthy  bool
	probes   int
	released []workflows.ReleaseInput
	releases func(context.Context) error
}

func newHoldEnv() *holdEnv {
	suite := &testsuite.WorkflowTestSuite{}
	e := &holdEnv{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	e.SetStartTime(accepted)
	e.RegisterActivityWithOptions(func(context.Context, string) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.probes++
		if !e.healthy {
			return errors.New("503 Service Unavailable")
		}
		return nil
	}, activity.RegisterOptions{Name: workflows.ProbeDestinationActivity})
	e.RegisterActivityWithOptions(func(ctx context.Context, in workflows.ReleaseInput) (workflows.ReleaseResult, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.released = append(e.released, in)
		if e.releases != nil {
			return workflows.ReleaseResult{}, e.releases(ctx)
		}
		return workflows.ReleaseResult{Released: 7}, nil
	}, activity.RegisterOptions{Name: workflows.ReleaseDeliveriesActivity})
	return e
}

func (e *holdEnv) result(t *testing.T) int {
	t.Helper()
	require.True(t, e.IsWorkflowCompleted())
	require.NoError(t, e.GetWorkflowError())
	var result workflows.ReleaseResult
	require.NoError(t, e.GetWorkflowResult(&result))
	return result.Released
}

func (e *holdEnv) setHealthy(healthy bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.healthy = healthy
}

func TestPauseHoldsUntilResumeThenReleases(t *testing.T) {
	t.Parallel()
	e := newHoldEnv()
	e.setHealthy(true)
	month := 30 * 24 * time.Hour
	e.RegisterDelayedCallback(func() {
		require.Contains(t, details(t, e.TestWorkflowEnvironment), "**Held**, because it is paused")
		e.SignalWorkflow(workflows.SetHeldSignal, false)
	}, month)
	e.ExecuteWorkflow(workflows.Hold, workflows.HoldInput{Destination: "search", Reason: workflows.HoldPaused})

	require.Equal(t, 7, e.result(t))
	require.Zero(t, e.probes, "a pause is ended by people alone")
	require.Len(t, e.released, 1)
	require.Equal(t, "search", e.released[0].Destination)
	// Workers rely on their last look for a moment; a delivery that they still hold must be among
	// those that are released.
	require.GreaterOrEqual(t, e.Now().Sub(accepted), month+2*workflows.HoldCacheTTL)
}

func TestFailingDestinationIsReleasedByAProbe(t *testing.T) {
	t.Parallel()
	e := newHoldEnv()
	e.RegisterDelayedCallback(func() { e.setHealthy(true) }, 5*time.Minute)
	e.ExecuteWorkflow(workflows.Hold, workflows.HoldInput{Destination: "search", Reason: workflows.HoldFailing})

	require.Equal(t, 7, e.result(t))
	require.Greater(t, e.probes, 2)
	require.Less(t, e.probes, 10)
	require.LessOrEqual(t, e.Now().Sub(accepted), 11*time.Minute, "the longest wait between two probes is 5 minutes")
}

func TestFailingDestinationIsReleasedByResumeWithoutAProbe(t *testing.T) {
	t.Parallel()
	e := newHoldEnv()
	e.RegisterDelayedCallback(func() { e.SignalWorkflow(workflows.SetHeldSignal, false) }, time.Minute)
	e.ExecuteWorkflow(workflows.Hold, workflows.HoldInput{Destination: "search", Reason: workflows.HoldFailing})
	require.Equal(t, 7, e.result(t))
}

func TestPauseTakesOverAHoldForFailing(t *testing.T) {
	t.Parallel()
	e := newHoldEnv()
	e.RegisterDelayedCallback(func() { e.SignalWorkflow(workflows.SetHeldSignal, true) }, time.Minute)
	e.RegisterDelayedCallback(func() { e.setHealthy(true) }, 2*time.Minute)
	e.RegisterDelayedCallback(func() {
		require.Contains(t, details(t, e.TestWorkflowEnvironment), "because it is paused")
		require.Empty(t, e.released, "no probe ends a pause")
		e.SignalWorkflow(workflows.SetHeldSignal, false)
	}, 24*time.Hour)
	e.ExecuteWorkflow(workflows.Hold, workflows.HoldInput{Destination: "search", Reason: workflows.HoldFailing})
	require.Equal(t, 7, e.result(t))
}

func TestPauseDuringTheReleaseHoldsAgain(t *testing.T) {
	t.Parallel()
	e := newHoldEnv()
	e.RegisterDelayedCallback(func() { e.SignalWorkflow(workflows.SetHeldSignal, false) }, time.Minute)
	// While the hold settles, before anything is released.
	e.RegisterDelayedCallback(func() { e.SignalWorkflow(workflows.SetHeldSignal, true) }, time.Minute+time.Second)
	e.RegisterDelayedCallback(func() {
		require.False(t, e.IsWorkflowCompleted())
		require.Contains(t, details(t, e.TestWorkflowEnvironment), "**Held**")
		e.SignalWorkflow(workflows.SetHeldSignal, false)
	}, time.Hour)
	e.ExecuteWorkflow(workflows.Hold, workflows.HoldInput{Destination: "search", Reason: workflows.HoldPaused})
	require.Equal(t, 7, e.result(t))
	require.GreaterOrEqual(t, e.Now().Sub(accepted), time.Hour)
}

// The last word counts, however many came during the release.
func TestTheLastWordDuringTheReleaseCounts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give []bool // what is signalled while the hold settles
		want bool   // whether it holds again
	}{
		{"resumed twice", []bool{false}, false},
		{"resumed twice, then paused", []bool{false, true}, true},
		{"paused, then resumed", []bool{true, false}, false},
		{"paused, resumed, paused", []bool{true, false, true}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e := newHoldEnv()
			e.RegisterDelayedCallback(func() { e.SignalWorkflow(workflows.SetHeldSignal, false) }, time.Minute)
			e.RegisterDelayedCallback(func() {
				for _, held := range tt.give {
					e.SignalWorkflow(workflows.SetHeldSignal, held)
				}
			}, time.Minute+time.Second)
			e.RegisterDelayedCallback(func() { e.SignalWorkflow(workflows.SetHeldSignal, false) }, time.Hour)
			e.ExecuteWorkflow(workflows.Hold, workflows.HoldInput{Destination: "search", Reason: workflows.HoldPaused})
			e.result(t)
			require.Equal(t, tt.want, e.Now().Sub(accepted) >= time.Hour)
		})
	}
}
