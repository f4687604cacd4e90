package deliveries

import (
	"context"
	"errors"
	"log/slog"

	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"golang.org/x/time/rate"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

// releasesPerSecond bounds how many held deliveries are released in a second.
const releasesPerSecond = 100

// Operations are the activities that go through many deliveries: of Hold and
// of Redelivery.
type Operations struct {
	store  *Store
	config config.Config
	log    *slog.Logger
}

// NewOperations makes the activities. It does no I/O.
func NewOperations(s *Store, c config.Config, log *slog.Logger) *Operations {
	return &Operations{store: s, config: c, log: log}
}

// Register registers the activities under the names of their methods.
func (o *Operations) Register(registry worker.ActivityRegistry) {
	registry.RegisterActivity(o.ReleaseDeliveries)
	registry.RegisterActivity(o.RedeliverPage)
}

// ReleaseDeliveries tells every running delivery to a destination to go on,
// the oldest first. A delivery that is told twice, or does not wait, looks
// once more whether it is held, and goes on.
func (o *Operations) ReleaseDeliveries(ctx context.Context, in workflows.ReleaseInput) (workflows.ReleaseResult, error) {
	filter := Filter{Destination: in.Destination, Status: Held}
	running, err := o.store.list(ctx, filter.query()+" AND StartTime <= "+quoteTime(in.Before))
	if err != nil {
		return workflows.ReleaseResult{}, err
	}
	oldestFirst(running)
	limiter := rate.NewLimiter(releasesPerSecond, 1)
	var result workflows.ReleaseResult
	for _, delivery := range running {
		if err := next(ctx, limiter); err != nil {
			return result, err
		}
		execution := delivery.GetExecution()
		err := o.store.client.SignalWorkflow(ctx, execution.GetWorkflowId(), execution.GetRunId(), workflows.ReleaseSignal, nil)
		var over *serviceerror.NotFound
		switch {
		case errors.As(err, &over):
			continue
		case err != nil:
			return result, err
		}
		result.Released++
		activity.RecordHeartbeat(ctx, result)
	}
	return result, nil
}

// RedeliverPage sends one page of a job's deliveries again. Its heartbeat says
// how far it has come, so that a worker which takes over goes on from there.
func (o *Operations) RedeliverPage(ctx context.Context, in workflows.RedeliveryInput) (workflows.RedeliveryProgress, error) {
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
	executions, rest, err := o.store.look(ctx, filterOf(in), from)
	if err != nil {
		return progress, err
	}
	limiter := rate.NewLimiter(rate.Limit(in.PerSecond), 1)
	for _, execution := range executions {
		err := next(ctx, limiter)
		if err == nil {
			err = o.redeliverOne(ctx, in, execution, &progress)
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

// errStopping hands the rest over to the next worker.
var errStopping = errors.New("the worker is stopping")

// next waits for the next turn, unless the worker is stopping: it should not
// have to wait for a long list, which another one can go on with.
func next(ctx context.Context, limiter *rate.Limiter) error {
	select {
	case <-activity.GetWorkerStopChannel(ctx):
		return errStopping
	default:
		return limiter.Wait(ctx)
	}
}

// redeliverOne sends one delivery again, and counts it. An error is Temporal
// being out of reach; the page is then tried again.
func (o *Operations) redeliverOne(ctx context.Context, in workflows.RedeliveryInput, execution *workflowpb.WorkflowExecutionInfo, progress *workflows.RedeliveryProgress) error {
	described, err := o.store.describe(ctx, execution.GetExecution().GetWorkflowId(), "")
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
	_, err = o.store.redeliver(ctx, latest, o.config, in.ID)
	var state *StateError
	switch {
	case err == nil:
		progress.Started++
	case errors.As(err, &state):
		progress.Skipped++
	case outOfReach(ctx, err):
		return err
	default:
		o.log.Warn("a delivery could not be sent again", "delivery", latest.GetExecution().GetWorkflowId(), "error", err)
		progress.Failed++
	}
	progress.Found++
	return nil
}

// outOfReach is whether an error says nothing of a delivery, but of Temporal.
func outOfReach(ctx context.Context, err error) bool {
	var (
		unavailable *serviceerror.Unavailable
		late        *serviceerror.DeadlineExceeded
		exhausted   *serviceerror.ResourceExhausted
	)
	return ctx.Err() != nil || errors.As(err, &unavailable) || errors.As(err, &late) || errors.As(err, &exhausted)
}

func filterOf(in workflows.RedeliveryInput) Filter {
	return Filter{Destination: in.Destination, Type: in.Type, Status: Status(in.Status), Since: in.Since, Until: in.Until}
}
