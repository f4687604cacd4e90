package deliveries

import (
	"context"
	"errors"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"golang.org/x/time/rate"

	"github.com/gitbook-courier/courier/workflows"
)

// releasesPerSecond bounds how many held deliveries are released in a second.
const releasesPerSecond = 100

// Activities are the activities that go through many deliveries: of Hold and of Redelivery.
type Activities struct {
	store *Store
}

// NewActivities makes the activities. It does no I/O.
func NewActivities(s *Store) *Activities {
	return &Activities{store: s}
}

// Register registers the activities under the names of their methods.
func (a *Activities) Register(registry worker.ActivityRegistry) {
	registry.RegisterActivity(a.ReleaseDeliveries)
	registry.RegisterActivity(a.RedeliverPage)
}

// errStopping hands the rest over to the next worker.
var errStopping = errors.New("the worker is stopping")

// next waits for the limiter, unless the worker is stopping: it should not have to wait for a long
// list, which another one can go on with.
func next(ctx context.Context, limiter *rate.Limiter) error {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return errStopping
	default:
		return limiter.Wait(ctx)
	}
}

// RedeliverPage sends one page of a job's deliveries again. Its heartbeat says how far it has come,
// so that a worker which takes over goes on from there.
func (a *Activities) RedeliverPage(ctx context.Context, in workflows.RedeliveryInput) (workflows.RedeliveryProgress, error) {
	progress := in.Progress
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &progress); err != nil {
			return progress, err
		}
	}
	activity.RecordHeartbeat(ctx, progress)
	from := cursor{Start: in.Until}
	if progress.Cursor != "" {
		var err error
		if from, err = parseCursor(progress.Cursor); err != nil {
			return progress, err
		}
	}
	executions, rest, err := a.store.scan(ctx, filterOf(in).query(), from)
	if err != nil {
		return progress, err
	}
	limiter := rate.NewLimiter(rate.Limit(in.PerSecond), 1)
	for _, execution := range executions {
		err := next(ctx, limiter)
		if err == nil {
			err = a.redeliverOne(ctx, in, execution, &progress)
		}
		if ctx.Err() != nil {
			return progress, temporal.NewCanceledError(progress)
		}
		if err != nil {
			return progress, err
		}
		progress.Cursor = position(execution).String()
		activity.RecordHeartbeat(ctx, progress)
	}
	progress.Done = rest == nil
	if rest != nil {
		progress.Cursor = rest.String()
	}
	return progress, nil
}

// redeliverOne sends one delivery again, and counts it. An error is one of Temporal; the page is
// then tried again.
func (a *Activities) redeliverOne(ctx context.Context, in workflows.RedeliveryInput, execution *workflowpb.WorkflowExecutionInfo, progress *workflows.RedeliveryProgress) error {
	described, err := a.store.describe(ctx, execution.GetExecution().GetWorkflowId(), "")
	if errors.Is(err, ErrUnknown) {
		return nil // retention was faster
	}
	if err != nil {
		return err
	}
	latest := described.GetWorkflowExecutionInfo()
	isLatest := latest.GetExecution().GetRunId() == execution.GetExecution().GetRunId()
	ours := attribute(latest.GetSearchAttributes(), workflows.Job) == in.ID
	switch {
	case ours:
		// Started by a worker that vanished before it could say so.
		progress.Found++
		progress.Started++
		return nil
	case !isLatest:
		return nil
	case in.DryRun:
		progress.Found++
		progress.Skipped++
		return nil
	}
	_, err = a.store.redeliver(ctx, latest, in.ID, in.ID)
	switch {
	case err == nil:
		progress.Started++
	case is[*StateError](err):
		progress.Skipped++
	case ctx.Err() != nil, unavailable(err):
		return err
	default:
		a.store.log.Warn("a delivery cannot be sent again", "delivery", latest.GetExecution().GetWorkflowId(), "error", err)
		progress.Failed++
	}
	progress.Found++
	return nil
}

func filterOf(in workflows.RedeliveryInput) Filter {
	return Filter{Destination: in.Destination, Type: in.Type, Status: Status(in.Status), Since: in.Since, Until: in.Until}
}
