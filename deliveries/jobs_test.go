package deliveries

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/workflows"
)

// jobOf is a bulk job as Temporal describes it.
func jobOf(t *testing.T, id string, status enumspb.WorkflowExecutionStatus) *description {
	t.Helper()
	d := run(t, "run-of-job", "", 0, status)
	info := d.GetWorkflowExecutionInfo()
	info.Execution.WorkflowId, info.Type.Name = workflows.RedeliveryID(id), workflows.RedeliveryType
	info.SearchAttributes = nil
	return d
}

// ofJob is a delivery that a job started.
func ofJob(t *testing.T, eventID, job string, status enumspb.WorkflowExecutionStatus) *description {
	t.Helper()
	d := to(t, eventID, "search", -1, status, "")
	d.WorkflowExecutionInfo.SearchAttributes.IndexedFields[workflows.Job.GetName()] = payload(t, job)
	return d
}

// startWith makes the input of a job known.
func startWith(t *testing.T, temporal *mocks.Client, id string, input workflows.RedeliveryInput) {
	t.Helper()
	temporal.On("GetWorkflowHistory", mock.Anything, workflows.RedeliveryID(id), "run-of-job", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Return(
		func(context.Context, string, string, bool, enumspb.HistoryEventFilterType) client.HistoryEventIterator {
			return events(t, &historypb.HistoryEvent{
				Attributes: &historypb.HistoryEvent_WorkflowExecutionStartedEventAttributes{
					WorkflowExecutionStartedEventAttributes: &historypb.WorkflowExecutionStartedEventAttributes{Input: payloads(t, input)},
				},
			})
		})
}

// The list goes from page to page without repeating or missing a job, and shows one that has
// continued as new once.
func TestJobs(t *testing.T) {
	t.Parallel()
	var all []*description
	for i, id := range []string{"a", "b", "c", "d"} {
		d := jobOf(t, id, running)
		d.WorkflowExecutionInfo.StartTime = timestamppb.New(noon.Add(-time.Duration(i) * time.Minute))
		d.PendingActivities = []*workflowpb.PendingActivityInfo{{HeartbeatDetails: payloads(t, workflows.RedeliveryProgress{Found: i})}}
		all = append(all, d)
	}
	before := jobOf(t, "a", enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)
	before.WorkflowExecutionInfo.Execution.RunId = "run-before"
	temporal, _ := newVisibility(t, append(all, before, to(t, "evt_1", "search", -1, running, ""))...)
	for _, id := range []string{"a", "b", "c", "d"} {
		startWith(t, temporal, id, workflows.RedeliveryInput{Type: "site_view", DryRun: true, PerSecond: 5})
	}
	s := newStore(t, temporal, parseConfig(t, twoDestinations), at0)
	var ids []string
	for after := ""; ; {
		page, err := s.Jobs(t.Context(), 3, after)
		require.NoError(t, err)
		for _, job := range page.Redeliveries {
			require.True(t, job.DryRun)
			require.Equal(t, "site_view", job.Filter.Type)
			ids = append(ids, job.ID)
		}
		if after = page.NextCursor; after == "" {
			break
		}
	}
	require.Equal(t, []string{"a", "b", "c", "d"}, ids)
	_, err := s.Jobs(t.Context(), 3, "?")
	require.ErrorIs(t, err, ErrCursor)
}

func TestJob(t *testing.T) {
	t.Parallel()
	progress := workflows.RedeliveryProgress{Found: 4, Started: 3, Skipped: 1}
	beating := jobOf(t, "beating", running)
	beating.PendingActivities = []*workflowpb.PendingActivityInfo{{HeartbeatDetails: payloads(t, progress)}}
	continued := jobOf(t, "continued", running)
	continued.WorkflowExecutionInfo.FirstRunId = "another"
	continued.WorkflowExecutionInfo.ExecutionTime = timestamppb.New(noon.Add(-time.Hour))
	temporal, _ := newVisibility(t, beating, continued, jobOf(t, "done", completed),
		jobOf(t, "cancelled", enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED), jobOf(t, "failed", enumspb.WORKFLOW_EXECUTION_STATUS_FAILED),
		ofJob(t, "evt_1", "done", completed), ofJob(t, "evt_2", "done", running), ofJob(t, "evt_3", "done", enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT))
	closeWith := func(id string, event *historypb.HistoryEvent) {
		temporal.On("GetWorkflowHistory", mock.Anything, "redelivery."+id, "run-of-job", false, enumspb.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT).Return(events(t, event))
	}
	closeWith("done", &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCompletedEventAttributes{
		WorkflowExecutionCompletedEventAttributes: &historypb.WorkflowExecutionCompletedEventAttributes{Result: payloads(t, progress)},
	}})
	closeWith("cancelled", &historypb.HistoryEvent{Attributes: &historypb.HistoryEvent_WorkflowExecutionCanceledEventAttributes{
		WorkflowExecutionCanceledEventAttributes: &historypb.WorkflowExecutionCanceledEventAttributes{Details: payloads(t, progress)},
	}})
	for _, id := range []string{"beating", "done", "cancelled", "failed"} {
		startWith(t, temporal, id, workflows.RedeliveryInput{Destination: "search", Status: "undelivered", Until: noon, PerSecond: 5})
	}
	startWith(t, temporal, "continued", workflows.RedeliveryInput{Destination: "search", Status: "undelivered", Until: noon, PerSecond: 5, Progress: progress})
	s := newStore(t, temporal, parseConfig(t, twoDestinations), at0)

	closed := noon.Add(time.Minute)
	for _, want := range []Job{
		{ID: "beating", Status: "running", StartedAt: noon, Found: 4, Started: 3, Skipped: 1},
		{ID: "continued", Status: "running", StartedAt: noon.Add(-time.Hour), Found: 4, Started: 3, Skipped: 1},
		{ID: "done", Status: "completed", StartedAt: noon, ClosedAt: &closed, Found: 4, Started: 3, Skipped: 1, Delivered: 1, Undelivered: 1, Waiting: 1},
		{ID: "cancelled", Status: "cancelled", StartedAt: noon, ClosedAt: &closed, Found: 4, Started: 3, Skipped: 1},
		{ID: "failed", Status: "failed", StartedAt: noon, ClosedAt: &closed},
	} {
		want.PerSecond, want.Filter = 5, JobFilter{Destination: "search", Status: Undelivered, Until: noon}
		got, err := s.Job(t.Context(), want.ID)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	_, err := s.Job(t.Context(), "unknown")
	require.ErrorIs(t, err, ErrJobUnknown)

	_, err = s.CancelJob(t.Context(), "done")
	require.Equal(t, &StateError{"the redelivery is over"}, err)
	_, err = s.CancelJob(t.Context(), "unknown")
	require.ErrorIs(t, err, ErrJobUnknown)
	temporal.On("CancelWorkflow", mock.Anything, "redelivery.beating", "").Return(nil).Once()
	job, err := s.CancelJob(canceled(t), "beating")
	require.NoError(t, err)
	require.Equal(t, "running", job.Status, "until the page in hand is done")
}

func TestStartJob(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		give    NewJob
		want    workflows.RedeliveryInput
		wantErr error
	}{
		{"all", NewJob{Status: Undelivered, PerSecond: 5}, workflows.RedeliveryInput{Status: "undelivered", Until: noon, PerSecond: 5}, nil},
		{
			"a span that ends before now",
			NewJob{Destination: "search", Status: Cancelled, Since: noon.Add(-time.Hour), Until: noon.Add(-time.Minute), DryRun: true, PerSecond: 5},
			workflows.RedeliveryInput{Destination: "search", Status: "cancelled", Since: noon.Add(-time.Hour), Until: noon.Add(-time.Minute), DryRun: true, PerSecond: 5},
			nil,
		},
		{"never what it has started", NewJob{Status: Delivered, Until: noon.Add(time.Hour), PerSecond: 5}, workflows.RedeliveryInput{Status: "delivered", Until: noon, PerSecond: 5}, nil},
		{"a destination that is gone", NewJob{Destination: "gone", Status: Undelivered, PerSecond: 5}, workflows.RedeliveryInput{Destination: "gone", Status: "undelivered", Until: noon, PerSecond: 5}, nil},
		{"a destination that never was", NewJob{Destination: "other", Status: Undelivered, PerSecond: 5}, workflows.RedeliveryInput{}, ErrDestinationUnknown},
		{"a destination that can't be", NewJob{Destination: "ü", Status: Undelivered, PerSecond: 5}, workflows.RedeliveryInput{}, &FilterError{"destination"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			temporal, v := newVisibility(t, to(t, "evt_1", "gone", -1, completed, ""))
			var got workflows.RedeliveryInput
			temporal.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
				got = args.Get(3).(workflows.RedeliveryInput)
				require.Equal(t, workflows.RedeliveryID(got.ID), args.Get(1).(client.StartWorkflowOptions).ID)
				d := jobOf(t, got.ID, running)
				d.PendingActivities = []*workflowpb.PendingActivityInfo{{HeartbeatDetails: payloads(t, workflows.RedeliveryProgress{})}}
				v.add(d)
				startWith(t, temporal, got.ID, got)
			}).Return(mocks.NewWorkflowRun(t), nil).Maybe()
			job, err := newStore(t, temporal, parseConfig(t, twoDestinations), at0).StartJob(t.Context(), tt.give)
			require.Equal(t, tt.wantErr, err)
			require.Equal(t, got.ID, job.ID)
			got.ID = ""
			require.Equal(t, tt.want, got)
		})
	}
}
