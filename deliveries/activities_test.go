package deliveries

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/testsuite"

	"github.com/gitbook-courier/courier/workflows"
)

// released is a Temporal whose deliveries react to a release as many tries later as stubborn says.
type released struct {
	mu       sync.Mutex
	ids      []string
	stubborn map[string]int
}

// newReleasing makes a store on such a Temporal.
func newReleasing(t *testing.T, now func() time.Time, all ...*description) (*Store, *released, *visibility) {
	t.Helper()
	temporal, v := newVisibility(t, all...)
	r := &released{stubborn: make(map[string]int)}
	temporal.On("SignalWorkflow", mock.Anything, mock.Anything, mock.Anything, workflows.ReleaseSignal, nil).Return(
		func(_ context.Context, id, _, _ string, _ any) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			at := slices.IndexFunc(v.all, func(info *workflowpb.WorkflowExecutionInfo) bool { return info.GetExecution().GetWorkflowId() == id })
			if at < 0 {
				return serviceerror.NewNotFound("over")
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ids = append(r.ids, id)
			if r.stubborn[id]--; r.stubborn[id] < 0 {
				delete(v.all[at].SearchAttributes.IndexedFields, workflows.State.GetName())
				v.described[[2]string{id, ""}].PendingWorkflowTask = &workflowpb.PendingWorkflowTaskInfo{}
			}
			return nil
		}).Maybe()
	return newStore(t, temporal, parseConfig(t, twoDestinations), now), r, v
}

// release runs ReleaseDeliveries.
func runRelease(t *testing.T, s *Store, in workflows.ReleaseInput) (workflows.ReleaseResult, error) {
	t.Helper()
	env := new(testsuite.WorkflowTestSuite).NewTestActivityEnvironment()
	env.SetTestTimeout(time.Hour)
	a := NewActivities(s)
	env.RegisterActivity(a.ReleaseDeliveries)
	value, err := env.ExecuteActivity(a.ReleaseDeliveries, in)
	var result workflows.ReleaseResult
	if err == nil {
		require.NoError(t, value.Get(&result))
	}
	return result, err
}

func TestReleaseDeliveries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []*description
		for i := range 5 {
			all = append(all, to(t, fmt.Sprintf("evt_%d", i), "search", -i, running, workflows.StateHeld))
		}
		pending := to(t, "pending", "search", -9, running, "")
		pending.PendingActivities = append(pending.PendingActivities, send(t, scheduled))
		all = append(all,
			to(t, "other", "alerts", -1, running, workflows.StateHeld),
			to(t, "retrying", "search", -1, running, workflows.StateRetrying),
			to(t, "of-0.2", "search", -1, running, ""), pending)
		s, r, _ := newReleasing(t, time.Now, all...)
		r.stubborn["evt_3@search"] = 1
		begun := time.Now()
		// Holds of 0.2 say until when; that counts no more.
		result, err := runRelease(t, s, workflows.ReleaseInput{Destination: "search", Before: noon.Add(-time.Hour)})
		require.NoError(t, err)
		require.Equal(t, workflows.ReleaseResult{Released: 6}, result)
		require.Equal(t, []string{
			"evt_4@search", "evt_3@search", "evt_2@search", "evt_1@search", "evt_0@search", // the oldest first
			"evt_3@search", // still says so
			"of-0.2@search",
		}, r.ids)
		require.GreaterOrEqual(t, time.Since(begun), releaseSettle, "it was given time to go on")
		require.Less(t, time.Since(begun), 2*releaseSettle)
	})
}

// The pace is bounded, however many are held.
func TestReleaseDeliveriesAtItsPace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []*description
		for i := range 201 {
			all = append(all, to(t, fmt.Sprintf("evt_%03d", i), "search", -i, running, workflows.StateHeld))
		}
		s, _, _ := newReleasing(t, time.Now, all...)
		begun := time.Now()
		result, err := runRelease(t, s, workflows.ReleaseInput{Destination: "search"})
		require.NoError(t, err)
		require.Equal(t, 201, result.Released)
		require.InDelta(t, 3, time.Since(begun).Seconds(), 0.5, "two seconds at 100 in a second, and one until the last look")
	})
}

func TestReleaseDeliveriesWhileTemporalIsAway(t *testing.T) {
	t.Parallel()
	s, _, v := newReleasing(t, at0, to(t, "evt_1", "search", -1, running, workflows.StateHeld))
	v.err = serviceerror.NewUnavailable("down")
	_, err := runRelease(t, s, workflows.ReleaseInput{Destination: "search"})
	require.ErrorContains(t, err, "cannot reach Temporal", "it is retried")
}

// A worker that stops leaves the rest to another one.
func TestReleaseDeliveriesOnAWorkerThatStops(t *testing.T) {
	t.Parallel()
	s, r, _ := newReleasing(t, at0, to(t, "evt_1", "search", -1, running, workflows.StateHeld))
	env := new(testsuite.WorkflowTestSuite).NewTestActivityEnvironment()
	stop := make(chan struct{})
	close(stop)
	env.SetWorkerStopChannel(stop)
	a := NewActivities(s)
	env.RegisterActivity(a.ReleaseDeliveries)
	_, err := env.ExecuteActivity(a.ReleaseDeliveries, workflows.ReleaseInput{Destination: "search"})
	require.ErrorContains(t, err, errStopping.Error())
	require.Empty(t, r.ids)
}

func TestReconcile(t *testing.T) {
	t.Parallel()
	temporalHolds := []*description{
		holdOf(t, "alerts", running, workflows.HoldStateHeld, workflows.HoldPaused),
		holdOf(t, "gone-and-releasing", running, workflows.HoldStateReleasing, workflows.HoldPaused),
		holdOf(t, "search", enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, workflows.HoldStateHeld, workflows.HoldPaused),
	}
	all := append([]*description{
		to(t, "evt_1", "search", -1, running, workflows.StateHeld), // its hold was terminated
		to(t, "evt_2", "alerts", -1, running, workflows.StateHeld),
		to(t, "evt_3", "gone-and-releasing", -1, running, workflows.StateHeld),
		to(t, "evt_4", "gone", -1, running, workflows.StateHeld), // had none
		to(t, "evt_5", "search", -1, running, workflows.StateUnknown),
		to(t, "evt_6", "gone", -1, running, workflows.StateUnknown),
		to(t, "evt_7", "installation.inst_1", -1, running, workflows.StateUnknown),
		to(t, "evt_8", "installation.inst_2", -1, running, workflows.StateUnknown),
		to(t, "evt_9", "search", -1, running, workflows.StateRetrying),
	}, temporalHolds...)
	s, r, _ := newReleasing(t, at0, all...)
	s.live.Replace(parseConfig(t, "sealing_keys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]\ninstallations: [{id: inst_1}]\n"+twoDestinations))
	var started []string
	s.client.(*mocks.Client).On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		require.Equal(t, workflows.HoldReleasing, args.Get(3).(workflows.HoldInput).Reason)
		started = append(started, args.Get(1).(client.StartWorkflowOptions).ID)
	}).Return(mocks.NewWorkflowRun(t), nil)
	require.NoError(t, NewHolds(s).reconcile(t.Context()))
	require.ElementsMatch(t, []string{"hold.search", "hold.gone"}, started)
	require.ElementsMatch(t, []string{"evt_5@search", "evt_7@installation.inst_1"}, r.ids)
}

func TestRunReconcilesEveryTwoMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _, v := newReleasing(t, at0)
		v.err = errors.New("down") // which ends nothing
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			NewHolds(s).Run(ctx)
		}()
		synctest.Wait()
		require.Equal(t, 1, v.asked(), "at the start")
		<-time.After(10 * reconcileInterval)
		synctest.Wait()
		require.InDelta(t, 9, v.asked(), 1.5)
		cancel()
		<-done
	})
}

// pages runs RedeliverPage.
func pages(t *testing.T, s *Store, in workflows.RedeliveryInput) workflows.RedeliveryProgress {
	t.Helper()
	env := new(testsuite.WorkflowTestSuite).NewTestActivityEnvironment()
	a := NewActivities(s)
	env.RegisterActivity(a.RedeliverPage)
	value, err := env.ExecuteActivity(a.RedeliverPage, in)
	require.NoError(t, err)
	var progress workflows.RedeliveryProgress
	require.NoError(t, value.Get(&progress))
	return progress
}

func TestRedeliverPage(t *testing.T) {
	t.Parallel()
	failedRun := enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	done := to(t, "ours", "search", -3, failedRun, "")
	done.WorkflowExecutionInfo.SearchAttributes.IndexedFields[workflows.Job.GetName()] = payload(t, "job-1")
	all := []*description{
		to(t, "started", "search", -1, failedRun, ""),
		to(t, "lost", "search", -2, failedRun, ""), // to another call
		done, // by a worker that vanished
		to(t, "other", "alerts", -4, failedRun, ""),
		to(t, "broken", "search", -5, failedRun, ""),
		to(t, "delivered", "search", -6, completed, ""),
	}
	newJob := func(t *testing.T) (*Store, *[]string) {
		t.Helper()
		temporal, v := newVisibility(t, all...)
		temporal.On("GetWorkflowHistory", mock.Anything, mock.Anything, mock.Anything, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Return(
			func(_ context.Context, id, _ string, _ bool, _ enumspb.HistoryEventFilterType) client.HistoryEventIterator {
				if id == "broken@search" {
					return events(t)
				}
				return events(t, startedEvent(t))
			}).Maybe()
		var started []string
		temporal.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(
			func(_ context.Context, options client.StartWorkflowOptions, _ any, _ ...any) client.WorkflowRun {
				started = append(started, options.ID)
				next := mocks.NewWorkflowRun(t)
				next.On("GetRunID").Return("next-of-" + options.ID)
				request := options.Memo[memoRequest].(string)
				if options.ID == "lost@search" {
					request = "another"
				}
				described := describe(t, running, "")
				described.WorkflowExecutionInfo.Execution.WorkflowId = options.ID
				described.WorkflowExecutionInfo.Execution.RunId = "next-of-" + options.ID
				described.WorkflowExecutionInfo.Memo.Fields[memoRequest] = payload(t, request)
				v.add(described)
				return next
			}, nil).Maybe()
		return newStore(t, temporal, parseConfig(t, twoDestinations), at0), &started
	}
	in := workflows.RedeliveryInput{ID: "job-1", Destination: "search", Status: "undelivered", Until: noon, PerSecond: 1000}
	s, started := newJob(t)
	progress := pages(t, s, in)
	require.True(t, progress.Done)
	progress.Cursor = ""
	require.Equal(t, workflows.RedeliveryProgress{Found: 4, Started: 2, Skipped: 1, Failed: 1, Done: true}, progress)
	require.Equal(t, []string{"started@search", "lost@search"}, *started)

	in.DryRun = true
	s, started = newJob(t)
	progress = pages(t, s, in)
	require.Equal(t, 3, progress.Skipped)
	require.Empty(t, *started)
}
