package deliveries

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// NewJob is a bulk redelivery to be started. Empty fields do not filter.
type NewJob struct {
	Destination, Type string
	// Status is Delivered, Undelivered or Cancelled.
	Status Status
	// Since and Until bound when the deliveries' latest run started: at or after Since, before
	// Until. What starts after the job itself is never matched.
	Since, Until time.Time
	// DryRun counts, but sends nothing.
	DryRun bool
	// PerSecond bounds how many deliveries are started in a second. Required.
	PerSecond int
}

// Job is a bulk redelivery, as the API shows it.
type Job struct {
	ID string `json:"id"`
	// Status is running, completed, cancelled or failed.
	Status    string     `json:"status"`
	StartedAt time.Time  `json:"startedAt"`
	ClosedAt  *time.Time `json:"closedAt,omitempty"`
	// Filter says which deliveries are meant. Until is the job's start when none was given.
	Filter JobFilter `json:"filter"`
	// DryRun counts, but sends nothing; PerSecond bounds how many are started in a second.
	DryRun    bool `json:"dryRun"`
	PerSecond int  `json:"perSecond"`
	// Found, Started, Skipped and Failed count the deliveries that matched, and what the job did
	// with them.
	Found   int `json:"found"`
	Started int `json:"started"`
	Skipped int `json:"skipped"`
	Failed  int `json:"failed"`
	// Delivered, Undelivered and Waiting count those started by their state now.
	Delivered   int64 `json:"delivered"`
	Undelivered int64 `json:"undelivered"`
	Waiting     int64 `json:"waiting"`
}

// JobFilter is the filter of a bulk redelivery. What is empty does not filter.
type JobFilter struct {
	Destination string    `json:"destination,omitempty"`
	Type        string    `json:"type,omitempty"`
	Status      Status    `json:"status,omitempty"`
	Since       time.Time `json:"since,omitzero"`
	Until       time.Time `json:"until"`
}

// JobPage is a part of the list of bulk redeliveries.
type JobPage struct {
	Redeliveries []Job `json:"redeliveries"`
	// NextCursor gets the part that follows; absent after the last one.
	NextCursor string `json:"nextCursor,omitempty"`
}

// jobRunning is the status of a job that is not over.
const jobRunning = "running"

// StartJob starts a bulk redelivery. It returns a *FilterError for a filter that cannot match
// anything, and ErrDestinationUnknown for a destination that is not in the configuration and that
// no delivery goes to.
func (s *Store) StartJob(ctx context.Context, n NewJob) (job Job, err error) {
	defer translate(&err)
	if err := (Filter{Destination: n.Destination, Type: n.Type}).validate(); err != nil {
		return Job{}, err
	}
	if err := s.checkDestination(ctx, n.Destination); err != nil {
		return Job{}, err
	}
	until := s.now().UTC() // the job must not find what it has started itself
	if !n.Until.IsZero() && n.Until.Before(until) {
		until = n.Until.UTC()
	}
	in := workflows.RedeliveryInput{
		ID: uuid.NewString(), Destination: n.Destination, Type: n.Type, Status: string(n.Status),
		Since: n.Since, Until: until, DryRun: n.DryRun, PerSecond: n.PerSecond,
	}
	_, err = s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.RedeliveryID(in.ID),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		StaticSummary:            workflows.RedeliverySummary(in),
	}, workflows.Redelivery, in)
	if err != nil {
		return Job{}, err
	}
	return s.Job(ctx, in.ID)
}

// checkDestination returns ErrDestinationUnknown for a name that neither the configuration, its
// installations among it, nor any delivery has. Empty is no name.
func (s *Store) checkDestination(ctx context.Context, name string) error {
	if _, ok := s.config().Resolve(name); ok || name == "" {
		return nil
	}
	if id, ok := strings.CutPrefix(name, activities.InstallationPrefix); ok {
		if _, accepted := s.config().Installation(id); accepted {
			return nil
		}
	}
	n, err := s.count(ctx, Filter{Destination: name}.query())
	if err == nil && n == 0 {
		err = ErrDestinationUnknown
	}
	return err
}

// CancelJob stops a bulk redelivery; deliveries that it has started go on. It returns ErrJobUnknown
// for an unknown job and a *StateError for one that is over.
func (s *Store) CancelJob(ctx context.Context, id string) (job Job, err error) {
	defer translate(&err)
	ctx, cancel := undisturbed(ctx)
	defer cancel()
	job, err = s.Job(ctx, id)
	if err != nil {
		return Job{}, err
	}
	if job.Status != jobRunning {
		return Job{}, &StateError{"the redelivery is over"}
	}
	if err := s.client.CancelWorkflow(ctx, workflows.RedeliveryID(id), ""); err != nil {
		return Job{}, goneOn(err)
	}
	return s.Job(ctx, id)
}

// Job finds a bulk redelivery. It returns ErrJobUnknown for an unknown one.
func (s *Store) Job(ctx context.Context, id string) (job Job, err error) {
	defer translate(&err)
	if !printable(id) {
		return Job{}, ErrJobUnknown
	}
	described, err := s.client.DescribeWorkflowExecution(ctx, workflows.RedeliveryID(id), "")
	if notFound(err) {
		return Job{}, ErrJobUnknown
	}
	if err != nil {
		return Job{}, err
	}
	return s.jobOf(ctx, id, described)
}

// maxConcurrentJobs bounds the jobs of a page that are read at once.
const maxConcurrentJobs = 4

// Jobs finds bulk redeliveries, the newest first, at most limit of them. It returns ErrCursor for a
// cursor, after, that no list has given out.
func (s *Store) Jobs(ctx context.Context, limit int, after string) (page JobPage, err error) {
	defer translate(&err)
	from := cursor{Start: s.now().Add(time.Minute)} // clocks differ
	if after != "" {
		if from, err = parseCursor(after); err != nil {
			return JobPage{}, err
		}
	}
	// A job that has continued as new is listed once, where its latest run began.
	query := "WorkflowType = " + quote(workflows.RedeliveryType) + " AND ExecutionStatus != 'ContinuedAsNew'"
	var found []*workflowpb.WorkflowExecutionInfo
	for more := &from; more != nil && len(found) <= limit; {
		var executions []*workflowpb.WorkflowExecutionInfo
		if executions, more, err = s.scan(ctx, query, *more); err != nil {
			return JobPage{}, err
		}
		found = append(found, executions...)
	}
	if len(found) > limit {
		found = found[:limit]
		page.NextCursor = position(found[limit-1]).String()
	}
	page.Redeliveries = make([]Job, len(found))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentJobs)
	for i, execution := range found {
		group.Go(func() (err error) {
			page.Redeliveries[i], err = s.Job(ctx, strings.TrimPrefix(execution.GetExecution().GetWorkflowId(), workflows.RedeliveryID("")))
			return err
		})
	}
	return page, group.Wait()
}

// jobOf is the job that a workflow is.
func (s *Store) jobOf(ctx context.Context, id string, described *description) (job Job, err error) {
	info := described.GetWorkflowExecutionInfo()
	job = Job{ID: id, StartedAt: info.GetStartTime().AsTime(), ClosedAt: at(info.GetCloseTime())}
	if first := info.GetExecutionTime(); info.GetFirstRunId() != info.GetExecution().GetRunId() && first != nil {
		job.StartedAt = first.AsTime()
	}
	input, err := s.jobInput(ctx, info.GetExecution())
	if err != nil {
		return Job{}, err
	}
	job.Filter = JobFilter{Destination: input.Destination, Type: input.Type, Status: Status(input.Status), Since: input.Since, Until: input.Until}
	job.DryRun, job.PerSecond = input.DryRun, input.PerSecond
	var progress workflows.RedeliveryProgress
	switch status := info.GetStatus(); {
	case isRunning(info):
		job.Status = jobRunning
		progress, err = s.runningProgress(described, input.Progress)
	case status == enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		job.Status = "completed"
		err = s.readOutcome(ctx, info.GetExecution(), &progress)
	case closedStatus(status) == Cancelled:
		job.Status = string(Cancelled)
		err = s.readOutcome(ctx, info.GetExecution(), &progress)
	default:
		job.Status = "failed"
	}
	if err != nil {
		return Job{}, err
	}
	job.Found, job.Started, job.Skipped, job.Failed = progress.Found, progress.Started, progress.Skipped, progress.Failed
	started, err := s.countByStatus(ctx, Filter{Job: job.ID}.query())
	job.Delivered, job.Undelivered, job.Waiting = started.delivered, started.undelivered, started.waiting
	return job, err
}

// runningProgress is the progress of a running job: the last heartbeat of its page or, before that,
// the progress with which the workflow's run began.
func (s *Store) runningProgress(described *description, begun workflows.RedeliveryProgress) (workflows.RedeliveryProgress, error) {
	for _, page := range described.GetPendingActivities() {
		if details := page.GetHeartbeatDetails(); details != nil {
			var progress workflows.RedeliveryProgress
			err := s.payloads.FromPayloads(details, &progress)
			return progress, err
		}
	}
	return begun, nil
}

// jobInput is the input of a job's run.
func (s *Store) jobInput(ctx context.Context, execution *commonpb.WorkflowExecution) (input workflows.RedeliveryInput, err error) {
	started, err := s.firstEvent(ctx, execution)
	if err != nil {
		return input, err
	}
	err = s.payloads.FromPayloads(started.GetWorkflowExecutionStartedEventAttributes().GetInput(), &input)
	return input, err
}

// counts are runs by their state.
type counts struct{ delivered, undelivered, waiting int64 }

// countByStatus counts the runs that a query finds.
func (s *Store) countByStatus(ctx context.Context, query string) (counts, error) {
	response, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query + " GROUP BY ExecutionStatus"})
	if err != nil {
		return counts{}, err
	}
	var c counts
	for _, group := range response.GetGroups() {
		var status string
		for _, value := range group.GetGroupValues() {
			_ = converter.GetDefaultDataConverter().FromPayload(value, &status) // a status is a string
		}
		switch status {
		case "Completed":
			c.delivered = group.GetCount()
		case "Running", "Paused":
			c.waiting += group.GetCount()
		case "Failed", "TimedOut":
			c.undelivered += group.GetCount()
		}
	}
	return c, nil
}
