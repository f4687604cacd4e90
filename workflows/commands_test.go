package workflows_test

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/interceptor"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/proto"

	"github.com/gitbook-courier/courier/workflows"
)

// line is a line of the package's source.
type line struct {
	file string
	line int
}

// replaying is one replay of a history. It watches the calls by which the workflow code makes
// commands, and can add a command of its own.
type replaying struct {
	interceptor.WorkerInterceptorBase

	// extra is the gap in which a timer is started: gap 0 is before the workflow function, and each
	// command's call is followed by two more, before and after it. None when negative.
	extra int
	// gaps counts the gaps so far.
	gaps int
	// lines are the lines of the package that were on the stack of a command's call.
	lines map[line]bool
	// ended and err are the end of the workflow function.
	ended bool
	err   error
}

// replay replays a history, and returns an error if the workflow code does not do again what it
// did.
func (r *replaying) replay(history *historypb.History) error {
	replayer, err := worker.NewWorkflowReplayerWithOptions(worker.WorkflowReplayerOptions{Interceptors: []interceptor.WorkerInterceptor{r}})
	if err != nil {
		return err
	}
	workflows.Register(replayer)
	r.lines = make(map[line]bool)
	quiet := sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	// The workflow frees the event's bytes, which are the history's.
	if err := replayer.ReplayWorkflowHistory(quiet, proto.CloneOf(history)); err != nil {
		return err
	}
	// The replayer does not look at how a failed or cancelled workflow ends.
	last := history.GetEvents()[len(history.GetEvents())-1]
	if end := r.end(); end != last.GetEventType() {
		return fmt.Errorf("the replay ends with %v, the history with %v", end, last.GetEventType())
	}
	return nil
}

// end is the event that the workflow function's end leads to.
func (r *replaying) end() enumspb.EventType {
	_, continued := errors.AsType[*workflow.ContinueAsNewError](r.err)
	switch {
	case !r.ended:
		return enumspb.EVENT_TYPE_UNSPECIFIED
	case r.err == nil:
		return enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
	case continued:
		return enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW
	case temporal.IsCanceledError(r.err):
		return enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED
	default:
		return enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
	}
}

// gap is a place between two commands.
func (r *replaying) gap(ctx workflow.Context) {
	if r.gaps == r.extra {
		// A cancelled context would have no timer started.
		ctx, _ = workflow.NewDisconnectedContext(ctx)
		workflow.NewTimer(ctx, time.Hour)
	}
	r.gaps++
}

// command notes where a call comes from, and returns the gap after it, for a defer.
func (r *replaying) command(ctx workflow.Context) (after func()) {
	if r.isOwn() {
		return func() {}
	}
	r.gap(ctx)
	return func() { r.gap(ctx) }
}

// isOwn is whether a call is of this very interceptor. It notes where any other comes from.
func (r *replaying) isOwn() bool {
	const deepest = 64
	callers := make([]uintptr, deepest)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	for {
		frame, more := frames.Next()
		switch {
		case strings.HasSuffix(frame.Function, ".(*replaying).gap"):
			return true
		case strings.HasPrefix(frame.Function, "github.com/gitbook-courier/courier/workflows."):
			r.lines[line{frame.File[strings.LastIndexByte(frame.File, '/')+1:], frame.Line}] = true
		}
		if !more {
			return false
		}
	}
}

func (r *replaying) InterceptWorkflow(_ workflow.Context, next interceptor.WorkflowInboundInterceptor) interceptor.WorkflowInboundInterceptor {
	in := &inbound{r: r}
	in.Next = next
	return in
}

type inbound struct {
	interceptor.WorkflowInboundInterceptorBase

	r *replaying
}

func (i *inbound) Init(next interceptor.WorkflowOutboundInterceptor) error {
	out := &outbound{r: i.r}
	out.Next = next
	return i.Next.Init(out)
}

func (i *inbound) ExecuteWorkflow(ctx workflow.Context, in *interceptor.ExecuteWorkflowInput) (any, error) {
	i.r.gap(ctx)
	result, err := i.Next.ExecuteWorkflow(ctx, in)
	i.r.gap(ctx)
	i.r.ended, i.r.err = true, err
	return result, err
}

// outbound intercepts every call that makes a command.
type outbound struct {
	interceptor.WorkflowOutboundInterceptorBase

	r *replaying
}

func (o *outbound) AwaitWithTimeout(ctx workflow.Context, timeout time.Duration, condition func() bool) (bool, error) {
	defer o.r.command(ctx)()
	return o.Next.AwaitWithTimeout(ctx, timeout, condition)
}

func (o *outbound) AwaitWithOptions(ctx workflow.Context, options workflow.AwaitOptions, condition func() bool) (bool, error) {
	defer o.r.command(ctx)()
	return o.Next.AwaitWithOptions(ctx, options, condition)
}

func (o *outbound) ExecuteActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	defer o.r.command(ctx)()
	return o.Next.ExecuteActivity(ctx, activityType, args...)
}

func (o *outbound) ExecuteLocalActivity(ctx workflow.Context, activityType string, args ...any) workflow.Future {
	defer o.r.command(ctx)()
	return o.Next.ExecuteLocalActivity(ctx, activityType, args...)
}

func (o *outbound) ExecuteChildWorkflow(ctx workflow.Context, childWorkflowType string, args ...any) workflow.ChildWorkflowFuture {
	defer o.r.command(ctx)()
	return o.Next.ExecuteChildWorkflow(ctx, childWorkflowType, args...)
}

func (o *outbound) NewTimer(ctx workflow.Context, d time.Duration) workflow.Future {
	defer o.r.command(ctx)()
	return o.Next.NewTimer(ctx, d)
}

func (o *outbound) NewTimerWithOptions(ctx workflow.Context, d time.Duration, options workflow.TimerOptions) workflow.Future {
	defer o.r.command(ctx)()
	return o.Next.NewTimerWithOptions(ctx, d, options)
}

func (o *outbound) Sleep(ctx workflow.Context, d time.Duration) error {
	defer o.r.command(ctx)()
	return o.Next.Sleep(ctx, d)
}

func (o *outbound) UpsertTypedSearchAttributes(ctx workflow.Context, attributes ...temporal.SearchAttributeUpdate) error {
	defer o.r.command(ctx)()
	return o.Next.UpsertTypedSearchAttributes(ctx, attributes...)
}

func (o *outbound) UpsertMemo(ctx workflow.Context, memo map[string]any) error {
	defer o.r.command(ctx)()
	return o.Next.UpsertMemo(ctx, memo)
}

func (o *outbound) NewContinueAsNewError(ctx workflow.Context, wfn any, args ...any) error {
	defer o.r.command(ctx)()
	return o.Next.NewContinueAsNewError(ctx, wfn, args...)
}
