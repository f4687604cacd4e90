package deliveries

import (
	"context"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/gitbook-courier/courier/workflows"
)

// ErrJobUnknown is a bulk redelivery that Temporal does not hold.
var ErrJobUnknown = errors.New("no such redelivery: there never was one, or Temporal's retention has removed it")

// Job is a bulk redelivery, as the API shows it.
type Job struct {
	ID string `json:"id"`
	// Status is running, completed, cancelled or failed.
	Status    string     `json:"status"`
	StartedAt time.Time  `json:"startedAt"`
	ClosedAt  *time.Time `json:"closedAt,omitempty"`
	// Found, Started, Skipped and Failed count what the job has come across.
	Found   int `json:"found"`
	Started int `json:"started"`
	Skipped int `json:"skipped"`
	Failed  int `json:"failed"`
	// Delivered, Undelivered and Waiting say how those started fare by now.
	Delivered   int64 `json:"delivered"`
	Undelivered int64 `json:"undelivered"`
	Waiting     int64 `json:"waiting"`
}

// StartJob starts a bulk redelivery.
func (s *Store) StartJob(ctx context.Context, in workflows.RedeliveryInput) error {
	_, err := s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.RedeliveryID(in.ID),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		StaticSummary:            workflows.RedeliverySummary(in),
	}, workflows.Redelivery, in)
	return err
}

// CancelJob stops a bulk redelivery; what it has started goes on. It returns
// ErrJobUnknown for an unknown job and a *StateError for one that is over.
func (s *Store) CancelJob(ctx context.Context, id string) error {
	job, err := s.Job(ctx, id)
	if err != nil {
		return err
	}
	if job.Status != jobRunning {
		return &StateError{"the redelivery is over"}
	}
	return stateError(s.client.CancelWorkflow(ctx, workflows.RedeliveryID(id), ""))
}

const jobRunning = "running"

// Job finds a bulk redelivery. It returns ErrJobUnknown for an unknown one.
func (s *Store) Job(ctx context.Context, id string) (Job, error) {
	described, err := s.client.DescribeWorkflowExecution(ctx, workflows.RedeliveryID(id), "")
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return Job{}, ErrJobUnknown
	}
	if err != nil {
		return Job{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	job := Job{ID: id, StartedAt: info.GetStartTime().AsTime(), ClosedAt: at(info.GetCloseTime())}
	if first := info.GetExecutionTime(); info.GetFirstRunId() != info.GetExecution().GetRunId() && first != nil {
		job.StartedAt = first.AsTime()
	}
	var progress workflows.RedeliveryProgress
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		job.Status = jobRunning
		progress, err = s.runningProgress(ctx, described)
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		job.Status = "completed"
		err = s.readOutcome(ctx, info.GetExecution(), &progress)
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED:
		job.Status = string(Cancelled)
		err = s.readOutcome(ctx, info.GetExecution(), &progress)
	default:
		job.Status = "failed"
	}
	if err != nil {
		return Job{}, err
	}
	job.Found, job.Started, job.Skipped, job.Failed = progress.Found, progress.Started, progress.Skipped, progress.Failed
	err = s.fare(ctx, &job)
	return job, err
}

// runningProgress is how far a running job has come: what its page last
// heartbeat or, before that, what the run of the workflow began with.
func (s *Store) runningProgress(ctx context.Context, described *workflowservice.DescribeWorkflowExecutionResponse) (workflows.RedeliveryProgress, error) {
	var progress workflows.RedeliveryProgress
	for _, page := range described.GetPendingActivities() {
		if details := page.GetHeartbeatDetails(); details != nil {
			err := s.payloads.FromPayloads(details, &progress)
			return progress, err
		}
	}
	var input workflows.RedeliveryInput
	started, err := s.firstEvent(ctx, described.GetWorkflowExecutionInfo().GetExecution())
	if err != nil {
		return progress, err
	}
	err = s.payloads.FromPayloads(started.GetWorkflowExecutionStartedEventAttributes().GetInput(), &input)
	return input.Progress, err
}

// fare counts how the deliveries that a job has started fare.
func (s *Store) fare(ctx context.Context, job *Job) error {
	by, err := s.countByStatus(ctx, Filter{Job: job.ID}.query())
	if err != nil {
		return err
	}
	job.Delivered, job.Undelivered, job.Waiting = by.Delivered, by.Undelivered, by.Waiting
	return nil
}

// Counts are deliveries by how they stand.
type Counts struct {
	Delivered, Undelivered, Waiting int64
}

// countByStatus counts the runs that a query finds.
func (s *Store) countByStatus(ctx context.Context, query string) (Counts, error) {
	response, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query + " GROUP BY ExecutionStatus"})
	if err != nil {
		return Counts{}, err
	}
	var counts Counts
	for _, group := range response.GetGroups() {
		var status string
		for _, value := range group.GetGroupValues() {
			_ = converter.GetDefaultDataConverter().FromPayload(value, &status) // a status is a string
		}
		switch status {
		case "Completed":
			counts.Delivered = group.GetCount()
		case "Running":
			counts.Waiting = group.GetCount()
		case "Failed", "TimedOut":
			counts.Undelivered += group.GetCount()
		}
	}
	return counts, nil
}
