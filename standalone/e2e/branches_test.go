package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/proto"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/standalone/engine"
	"github.com/gitbook-courier/courier/workflows"
)

// branch is one way through the workflow code: a workflow whose activities end as a script says.
type branch struct {
	name string
	// give is the workflow's input: a DeliveryInput, a HoldInput or a RedeliveryInput.
	give any
	// script is how the workflow's activities end: each execution takes the first answer that is
	// left for its activity type.
	script map[string][]answer
	// early happens before there is a worker.
	early step
	// repeated makes a worker take the first workflow task and fail it, before there is another.
	repeated bool
	// act is what happens to the workflow while it runs.
	act step
	// want is how it ends.
	want enumspb.WorkflowExecutionStatus
	// continued is the name of the run that continues this one.
	continued string
}

// answer is how an execution of an activity ends.
type answer func(ctx context.Context, r *running) (any, error)

const (
	completed = enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED
	failed    = enumspb.WORKFLOW_EXECUTION_STATUS_FAILED
	cancelled = enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED
)

// branches are all ways through the workflow code that differ in their commands.
func branches() []branch {
	return append(append(deliveryBranches(), holdBranches()...), redeliveryBranches()...)
}

func deliveryBranches() []branch {
	retry, none := []int64{1, 2, 4}, []int64(nil)
	lane, limited := delivering(retry, false, false), delivering(retry, true, false)
	laneNotice, limitedNotice := delivering(retry, false, true), delivering(retry, true, true)
	impatient, impatientNotice := lane, limitedNotice
	impatient.UnknownPatienceMs, impatientNotice.UnknownPatienceMs = 300, 300
	impatientLane := laneNotice
	impatientLane.UnknownPatienceMs = 300
	express := func(first answer, then ...answer) map[string][]answer {
		return map[string][]answer{activities.SendWebhookExpressType: {first}, activities.SendWebhookType: then}
	}
	send := func(answers ...answer) map[string][]answer {
		return map[string][]answer{activities.SendWebhookType: answers}
	}
	return []branch{
		// The express lane.
		{name: "delivery_express", give: lane, script: express(delivered(1)), want: completed},
		{name: "delivery_express_closed", give: lane, script: express(laneClosed, delivered(1)), want: completed},
		{name: "delivery_express_retried", give: lane, script: express(attempted(1), attempted(1), attempted(2), delivered(3)), want: completed},
		{name: "delivery_express_undelivered", give: lane, script: express(attempted(1), attempted(1), rejected(2)), want: failed},
		{name: "delivery_express_undelivered_notice", give: laneNotice, script: express(attempted(1), attempted(1), rejected(2)), want: failed},
		{name: "delivery_express_rejected", give: lane, script: express(rejected(1)), want: failed},
		{name: "delivery_express_rejected_notice", give: laneNotice, script: express(rejected(1)), want: failed},
		{name: "delivery_express_lost", give: lane, script: express(lost, attempted(1), delivered(2)), want: completed},
		{name: "delivery_express_held", give: lane, script: express(held(0), delivered(1)), act: release(1), want: completed},
		{name: "delivery_express_held_rejected", give: lane, script: express(held(0), rejected(1)), act: release(1), want: failed},
		{name: "delivery_express_held_cancelled", give: lane, script: express(held(0)), act: cancelIn(workflows.StateHeld), want: cancelled},
		{name: "delivery_express_unknown", give: lane, script: express(unknown(0), delivered(1)), act: makeKnown(1), want: completed},
		{name: "delivery_express_unknown_undelivered", give: impatient, script: express(unknown(0), unknown(0)), want: failed},
		{name: "delivery_express_unknown_undelivered_notice", give: impatientLane, script: express(unknown(0), unknown(0)), want: failed},
		{name: "delivery_express_unknown_cancelled", give: lane, script: express(unknown(0)), act: cancelIn(workflows.StateUnknown), want: cancelled},
		{name: "delivery_express_repeated", give: lane, repeated: true, script: express(delivered(1)), want: completed},
		{name: "delivery_express_repeated_retried", give: lane, repeated: true, script: express(attempted(1), attempted(1), delivered(2)), want: completed},
		{
			name: "delivery_express_repeated_cancelled", give: lane, repeated: true, early: cancel,
			script: express(delivered(1)), want: completed,
		},
		{
			name: "delivery_express_repeated_cancelled_failed", give: lane, repeated: true, early: cancel,
			script: express(attempted(1)), want: cancelled,
		},
		{name: "delivery_express_cancelled_early", give: lane, early: cancel, want: cancelled},
		{name: "delivery_express_released_early", give: lane, early: signalRelease, script: express(held(0), delivered(1)), want: completed},

		// Without the express lane.
		{name: "delivery_limited", give: limited, script: send(delivered(1)), want: completed},
		{name: "delivery_limited_retried", give: limited, script: send(attempted(1), signalledTwice(2), delivered(3)), want: completed},
		{name: "delivery_limited_undelivered", give: limited, script: send(attempted(1), rejected(2)), want: failed},
		{name: "delivery_limited_undelivered_notice", give: limitedNotice, script: send(attempted(1), rejected(2)), want: failed},
		{name: "delivery_no_retries", give: delivering(none, false, false), script: send(rejected(1)), want: failed},
		{name: "delivery_no_retries_notice", give: delivering(none, false, true), script: send(rejected(1)), want: failed},
		{name: "delivery_cancelled_early", give: limited, early: cancel, want: cancelled},
		{name: "delivery_cancelled_retrying", give: limited, script: send(attemptedThenWait(1)), act: cancelIn(workflows.StateRetrying), want: cancelled},
		{name: "delivery_cancelled_sending", give: limited, script: send(gated(attempted(1))), act: cancelDuring, want: cancelled},
		{name: "delivery_cancelled_sending_delivered", give: limited, script: send(gated(delivered(1))), act: cancelDuring, want: completed},
		{name: "delivery_cancelled_sending_rejected", give: limited, script: send(gated(rejected(1))), act: cancelDuring, want: cancelled},
		{name: "delivery_cancelled_sending_held", give: limited, script: send(gated(held(0))), act: cancelDuring, want: cancelled},

		// Given up, because the installation is deleted.
		{name: "delivery_uninstalled_early", give: limited, early: uninstall, want: failed},
		{name: "delivery_uninstalled_early_express", give: lane, early: uninstall, script: express(attempted(1)), want: failed},
		{name: "delivery_uninstalled_early_express_delivered", give: lane, early: uninstall, script: express(delivered(1)), want: completed},
		{name: "delivery_uninstalled_retrying", give: lane, script: express(attempted(1), attemptedThenWait(1)), act: steps(inState(workflows.StateRetrying, 1), uninstall), want: failed},
		{name: "delivery_uninstalled_sending", give: limited, script: send(gated(attempted(1))), act: uninstallDuring, want: failed},
		{name: "delivery_uninstalled_sending_delivered", give: limited, script: send(gated(delivered(1))), act: uninstallDuring, want: completed},
		{name: "delivery_uninstalled_held_notice", give: limitedNotice, script: send(attempted(1), held(1)), act: steps(inState(workflows.StateHeld, 1), uninstall), want: failed},
		{name: "delivery_uninstalled_unknown", give: limited, script: send(unknown(0)), act: steps(inState(workflows.StateUnknown, 1), uninstall), want: failed},
		{name: "delivery_uninstalled_cancelled", give: limited, script: send(gated(attempted(1))), act: steps(during, uninstall, cancelledActivity, cancel, open), want: cancelled},

		// Waiting for the end of a hold.
		{name: "delivery_held", give: limited, script: send(held(0), delivered(1)), act: release(1), want: completed},
		{name: "delivery_held_twice", give: limited, script: send(held(0), held(0), delivered(1)), act: release(2), want: completed},
		{name: "delivery_held_retrying", give: limited, script: send(attempted(1), held(1), delivered(2)), act: release(1), want: completed},
		{name: "delivery_held_undelivered", give: limited, script: send(held(0), rejected(1)), act: release(1), want: failed},
		{name: "delivery_held_undelivered_notice", give: limitedNotice, script: send(held(0), rejected(1)), act: release(1), want: failed},
		{name: "delivery_held_cancelled", give: limited, script: send(held(0)), act: cancelIn(workflows.StateHeld), want: cancelled},
		{name: "delivery_held_retrying_cancelled", give: limited, script: send(attempted(1), held(1)), act: cancelIn(workflows.StateHeld), want: cancelled},
		{name: "delivery_released_early", give: limited, early: signalRelease, script: send(held(0), delivered(1)), want: completed},
		{
			name: "delivery_continues", continued: "delivery_continued", give: limited, script: send(attempted(1), held(1), delivered(2)),
			act: steps(inState(workflows.StateHeld, 1), grow, signalRelease), want: completed,
		},
		{
			name: "delivery_unknown_continues", continued: "delivery_unknown_continued", give: limitedNotice,
			script: send(unknown(0), held(0), rejected(1)),
			act:    steps(inState(workflows.StateUnknown, 1), grow, signalRelease, continues, inState(workflows.StateHeld, 1), signalRelease),
			want:   failed,
		},

		// Waiting for a worker that knows the destination.
		{name: "delivery_unknown", give: limited, script: send(unknown(0), delivered(1)), act: makeKnown(1), want: completed},
		{name: "delivery_unknown_looks", give: impatientNotice, script: send(unknown(0), delivered(1)), want: completed},
		{name: "delivery_unknown_twice", give: limited, script: send(unknown(0), unknown(0), delivered(1)), act: makeKnown(2), want: completed},
		{name: "delivery_unknown_retrying", give: limited, script: send(attempted(1), unknown(1), delivered(2)), act: makeKnown(1), want: completed},
		{name: "delivery_unknown_undelivered", give: impatient, script: express(laneClosed, unknown(0), unknown(0)), want: failed},
		{name: "delivery_unknown_undelivered_notice", give: impatientNotice, script: send(unknown(0), unknown(0)), want: failed},
		{name: "delivery_unknown_cancelled", give: limited, script: send(unknown(0)), act: cancelIn(workflows.StateUnknown), want: cancelled},
		{
			name: "delivery_unknown_held", give: limited, script: send(unknown(0), held(0), unknown(0), delivered(1)),
			act: steps(
				inState(workflows.StateUnknown, 1), signalRelease, inState(workflows.StateHeld, 1), signalRelease,
				inState(workflows.StateUnknown, 2), signalRelease,
			),
			want: completed,
		},
	}
}

func holdBranches() []branch {
	paused := workflows.HoldInput{Destination: "search-index", Reason: workflows.HoldPaused}
	failing, over := paused, paused
	failing.Reason, over.Reason = workflows.HoldFailing, workflows.HoldReleasing
	failingNotice := failing
	failingNotice.Notify = notice()
	const held, releasing = workflows.HoldStateHeld, workflows.HoldStateReleasing
	script := func(probe answer, releases ...answer) map[string][]answer {
		s := map[string][]answer{workflows.ReleaseDeliveriesActivity: releases}
		if probe != nil {
			s[workflows.ProbeDestinationActivity] = []answer{probe}
		}
		return s
	}
	probes := func(answers ...answer) map[string][]answer {
		return map[string][]answer{workflows.ProbeDestinationActivity: answers, workflows.ReleaseDeliveriesActivity: {released}}
	}
	return []branch{
		{name: "hold_paused", give: paused, script: script(nil, released), act: steps(shows(held, 1), resume), want: completed},
		{name: "hold_paused_twice", give: paused, script: script(nil, released), act: steps(shows(held, 1), pause, fails, handled(workflows.SetFailingSignal), resume), want: completed},
		{name: "hold_releasing", give: over, script: script(nil, released), want: completed},
		{name: "hold_failing", give: failing, script: probes(unhealthy, healthy), want: completed},
		{name: "hold_failing_notice", give: failingNotice, script: probes(unhealthy, healthy), want: completed},
		{
			name: "hold_failing_notice_releases_again", give: failingNotice, script: map[string][]answer{
				workflows.ProbeDestinationActivity: {healthy}, workflows.ReleaseDeliveriesActivity: {broken, released},
			},
			want: completed,
		},
		{name: "hold_failing_resumed", give: failing, script: script(gated(healthy), released), act: steps(during, resume), want: completed},
		{
			name: "hold_failing_paused", give: failing, script: script(gated(healthy), released),
			act: steps(during, pause, shows(held, 2), resume), want: completed,
		},
		{name: "hold_failing_cancelled", give: failing, script: script(gated(healthy), released), act: steps(during, cancel), want: cancelled},
		{name: "hold_probe_broken", give: failing, script: probes(broken, healthy), want: completed},
		{name: "hold_cancelled", give: paused, script: script(nil, released), act: steps(shows(held, 1), cancel), want: cancelled},
		{name: "hold_release_broken", give: over, script: script(nil, broken, released), want: completed},
		{
			name: "hold_settling_paused", give: over, script: script(nil, released),
			act: steps(shows(releasing, 1), pause, shows(held, 1), resume), want: completed,
		},
		{
			name: "hold_settling_fails", give: over, script: script(healthy, released),
			act: steps(shows(releasing, 1), fails), want: completed,
		},
		{
			name: "hold_releasing_paused", give: over, script: script(nil, gated(released), released),
			act: steps(during, pause, shows(held, 1), resume), want: completed,
		},
		{
			name: "hold_releasing_fails", give: over, script: script(healthy, gated(released), released),
			act: steps(during, fails), want: completed,
		},
		{
			name: "hold_releasing_cancelled", give: over, script: script(nil, gated(released)),
			act: steps(during, cancel, recorded(enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED), open), want: cancelled,
		},
		{
			name: "hold_continues", continued: "hold_continued", give: paused, script: script(nil, released),
			act:  steps(shows(held, 1), grow, resume, shows(releasing, 1), pause, continues, shows(held, 1), resume),
			want: completed,
		},
	}
}

func redeliveryBranches() []branch {
	job := workflows.RedeliveryInput{ID: "job", Status: "undelivered", Until: time.Now().UTC(), PerSecond: 100}
	script := func(answers ...answer) map[string][]answer {
		return map[string][]answer{workflows.RedeliverPageActivity: answers}
	}
	many := make([]answer, 0, 101)
	for range 100 {
		many = append(many, redelivered(false))
	}
	return []branch{
		{name: "redelivery_one_page", give: job, script: script(redelivered(true)), want: completed},
		{name: "redelivery_pages", give: job, script: script(redelivered(false), redelivered(false), redelivered(true)), want: completed},
		{name: "redelivery_failed", give: job, script: script(redelivered(false), broken), want: failed},
		{name: "redelivery_cancelled", give: job, script: script(redelivered(false), gated(redelivered(false))), act: cancelDuring, want: cancelled},
		{name: "redelivery_cancelled_early", give: job, early: cancel, want: cancelled},
		{name: "redelivery_cancelled_in_a_page", give: job, script: script(redelivered(false), cancelledPage), act: cancelDuring, want: cancelled},
		{name: "redelivery_cancelled_between_pages", give: job, script: script(gated(redelivered(true))), act: cancelDuring, want: cancelled},
		{name: "redelivery_continues", continued: "redelivery_continued", give: job, script: script(append(many, redelivered(true))...), want: completed},
	}
}

// TestBranchesReplay makes a history of every branch of the workflow code, with a real server and a
// real worker, whose activities follow a script. With -update they become a release's in
// workflows/testdata, where the workflow code of later releases must replay them.
func TestBranchesReplay(t *testing.T) { //nolint:tparallel // The branches run at once; the subtests only look at them.
	t.Parallel()
	s := newScripts(t)
	var all []*running
	for _, b := range branches() {
		r := s.start(t, b)
		if b.repeated {
			r.failFirstTask(t)
		}
		all = append(all, r)
	}
	for _, r := range all {
		if r.early != nil {
			require.NoError(t, r.early(r))
		}
	}
	s.work(t)
	for _, r := range all {
		go func() { r.acted <- steps(r.act)(r) }() // all at once, because holds take their time
	}
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			require.NoError(t, <-r.acted)
			r.requireEnd(t)
			history := shorten(readHistory(t, s.client, r.id, r.firstRun))
			requireReplay(t, history)
			store(t, r.name, history)
			require.Equal(t, r.continued != "", nextRun(history) != "")
			if r.continued != "" {
				history = readHistory(t, s.client, r.id, nextRun(history))
				requireReplay(t, history)
				store(t, r.continued, history)
			}
			s.requireDone(t, r)
		})
	}
}

// scripts are a server and a worker whose activities end as the workflows' scripts say.
type scripts struct {
	client client.Client
	ctx    context.Context // of the test, and as long as its patience

	mu  sync.Mutex
	all map[string]*running // by workflow id
}

// running is the workflow of a branch.
type running struct {
	branch
	*scripts
	id, firstRun string
	// run is the run whose history is watched.
	run string
	// began receives when a gated activity has begun, which goes on when opened is closed.
	began, opened chan struct{}
	open          func()
	// acted receives once, when act is over.
	acted chan error
	ctx   context.Context
}

func newScripts(t *testing.T) *scripts {
	t.Helper()
	attributes := make(map[string]enumspb.IndexedValueType)
	for _, key := range workflows.SearchAttributes() {
		attributes[key.GetName()] = key.GetValueType()
	}
	e, err := engine.Start(t.Context(), engine.Options{DataDir: t.TempDir(), TemporalListen: "127.0.0.1:0", SearchAttributes: attributes})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
	options := e.ClientOptions()
	options.Identity = "courier"
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	c, err := client.Dial(options)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	ctx, stop := context.WithTimeout(t.Context(), patience)
	t.Cleanup(stop)
	return &scripts{client: c, ctx: ctx, all: make(map[string]*running)}
}

// work runs a worker until the test is over.
func (s *scripts) work(t *testing.T) {
	t.Helper()
	w := worker.New(s.client, workflows.TaskQueue, worker.Options{
		BuildID:                      workflows.BuildID, //nolint:staticcheck // As Courier's workers do; deployment versions would route tasks by it.
		MaxHeartbeatThrottleInterval: 50 * time.Millisecond,
	})
	workflows.Register(w)
	w.RegisterActivityWithOptions(func(ctx context.Context, _ activities.ExpressInput, _ converter.RawValue) (any, error) {
		return s.next(ctx)
	}, activity.RegisterOptions{Name: activities.SendWebhookExpressType})
	w.RegisterActivityWithOptions(func(ctx context.Context) (converter.RawValue, error) {
		return activities.EventPayload([]byte(event("site_view", activity.GetInfo(ctx).WorkflowExecution.ID))), nil
	}, activity.RegisterOptions{Name: activities.LoadEventType})
	for _, name := range []string{
		activities.SendWebhookType, workflows.ProbeDestinationActivity, workflows.ReleaseDeliveriesActivity, workflows.RedeliverPageActivity,
	} {
		w.RegisterActivityWithOptions(func(ctx context.Context, _ converter.RawValue) (any, error) { return s.next(ctx) }, activity.RegisterOptions{Name: name})
	}
	require.NoError(t, w.Start())
	t.Cleanup(func() {
		for _, r := range s.all {
			r.open()
		}
		w.Stop()
	})
}

// next ends an execution of an activity as the script of its workflow says.
func (s *scripts) next(ctx context.Context) (any, error) {
	info := activity.GetInfo(ctx)
	s.mu.Lock()
	r, ok := s.all[info.WorkflowExecution.ID]
	if !ok { // a notice
		s.mu.Unlock()
		return delivered(1)(ctx, nil)
	}
	left := r.script[info.ActivityType.Name]
	if len(left) == 0 {
		s.mu.Unlock()
		return nil, fmt.Errorf("the script of %s has no more answers for %s", r.name, info.ActivityType.Name)
	}
	r.script[info.ActivityType.Name] = left[1:]
	s.mu.Unlock()
	return left[0](ctx, r)
}

// requireDone requires that all of a script has been played.
func (s *scripts) requireDone(t *testing.T, r *running) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, left := range r.script {
		require.Empty(t, left, name)
	}
}

// start starts the workflow of a branch.
func (s *scripts) start(t *testing.T, b branch) *running {
	t.Helper()
	r := &running{branch: b, scripts: s, id: b.name, began: make(chan struct{}, 1), opened: make(chan struct{}), acted: make(chan error, 1), ctx: s.ctx}
	r.open = sync.OnceFunc(func() { close(r.opened) })
	options := client.StartWorkflowOptions{TaskQueue: workflows.TaskQueue}
	workflow, args := workflows.HoldType, []any{b.give}
	switch give := b.give.(type) {
	case workflows.DeliveryInput:
		give.EventID = "evt_" + b.name
		r.id = workflows.DeliveryID(give.EventID, give.Destination)
		options.WorkflowTaskTimeout = workflows.TaskTimeout(give)
		options.Priority = workflows.Fairness(give.Destination)
		options.TypedSearchAttributes = workflows.Attributes(give, "", "", "")
		options.StaticSummary = workflows.Summary(give.EventType, give.Destination)
		options.Memo = workflows.Memo(give, "")
		workflow, args = workflows.DeliveryType, []any{give, activities.EventPayload([]byte(event(give.EventType, give.EventID)))}
	case workflows.RedeliveryInput:
		workflow = workflows.RedeliveryType
	}
	options.ID = r.id
	s.mu.Lock()
	s.all[r.id] = r
	s.mu.Unlock()
	started, err := s.client.ExecuteWorkflow(t.Context(), options, workflow, args...)
	require.NoError(t, err)
	r.firstRun = started.GetRunID()
	r.run = r.firstRun
	return r
}

// failFirstTask takes workflow tasks as a worker would, and fails them, until it was the
// workflow's.
func (r *running) failFirstTask(t *testing.T) {
	t.Helper()
	service := r.client.WorkflowService()
	for id := ""; id != r.id; {
		task, err := service.PollWorkflowTaskQueue(r.ctx, &workflowservice.PollWorkflowTaskQueueRequest{
			Namespace: client.DefaultNamespace, TaskQueue: &taskqueuepb.TaskQueue{Name: workflows.TaskQueue}, Identity: "courier",
		})
		require.NoError(t, err)
		if id = task.GetWorkflowExecution().GetWorkflowId(); id == "" {
			continue
		}
		_, err = service.RespondWorkflowTaskFailed(r.ctx, &workflowservice.RespondWorkflowTaskFailedRequest{
			Namespace: client.DefaultNamespace, TaskToken: task.GetTaskToken(), Identity: "courier",
			Cause: enumspb.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE,
		})
		require.NoError(t, err)
	}
}

// await waits until the history has so many events that are as wanted.
func (r *running) await(what string, count int, wanted func(*historypb.HistoryEvent) bool) error {
	events := r.client.GetWorkflowHistory(r.ctx, r.id, r.run, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		recorded, err := events.Next()
		if err != nil {
			return fmt.Errorf("waiting for %s: %w", what, err)
		}
		if wanted(recorded) {
			count--
		}
		if count == 0 {
			return nil
		}
	}
	return errors.New("the run ended before " + what)
}

// padding is of signals that make a history so large that Temporal suggests to continue as new.
var padding = strings.Repeat("x", 1_500_000)

// shorten takes the padding out of a history. No workflow code reads it.
func shorten(history *historypb.History) *historypb.History {
	history = proto.CloneOf(history)
	for _, recorded := range history.GetEvents() {
		if signal := recorded.GetWorkflowExecutionSignaledEventAttributes(); signal.GetSignalName() == "Padding" {
			signal.Input = nil
		}
	}
	return history
}

// nextRun is the run that continues the one of the history, if any.
func nextRun(history *historypb.History) string {
	last := history.GetEvents()[len(history.GetEvents())-1]
	return last.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
}

// requireEnd waits for the end of the workflow.
func (r *running) requireEnd(t *testing.T) {
	t.Helper()
	err := r.client.GetWorkflow(r.ctx, r.id, r.firstRun).Get(r.ctx, nil)
	require.NoError(t, r.ctx.Err())
	described, describeErr := r.client.DescribeWorkflowExecution(t.Context(), r.id, "")
	require.NoError(t, describeErr)
	require.Equal(t, r.want, described.GetWorkflowExecutionInfo().GetStatus(), err)
}

// delivering is the input of a Delivery.
func delivering(retriesMs []int64, limited, withNotice bool) workflows.DeliveryInput {
	in := workflows.DeliveryInput{
		Webhook:   activities.Webhook{Destination: "search-index", TimeoutMs: 10_000, RetriesMs: retriesMs, RetryAfterMaxMs: 60_000},
		Reason:    workflows.ReasonEvent,
		EventType: "site_view",
		URL:       "https://search.example.com/hook",
		Limited:   limited,

		AcceptedAt: time.Now().UTC(),
	}
	if withNotice {
		in.Notify = notice()
	}
	return in
}

// notice is the start of the input of a notice.
func notice() *workflows.DeliveryInput {
	return &workflows.DeliveryInput{
		Webhook: activities.Webhook{Destination: "on-call", TimeoutMs: 10_000, RetriesMs: []int64{1, 2, 4}, RetryAfterMaxMs: 60_000},
		URL:     "https://on-call.example.com/hook",
	}
}

// attemptLog is a log of so many attempts, the last of which had that outcome.
func attemptLog(count int, outcome string) []activities.Attempt {
	log := make([]activities.Attempt, count)
	for i := range log {
		log[i] = activities.Attempt{
			Number: i + 1, StartedAt: time.Now().UTC(), DurationMs: 1, StatusCode: 503, Outcome: activities.FailureUnavailable,
			Error: "503 Service Unavailable", WaitMs: 1, Worker: "courier",
		}
	}
	if count > 0 {
		log[count-1].Outcome = outcome
	}
	return log
}

// The answers of SendWebhook and of the express lane.

func delivered(number int) answer {
	return func(context.Context, *running) (any, error) {
		return activities.SendWebhookResult{Attempts: attemptLog(number, activities.OutcomeDelivered)}, nil
	}
}

func laneClosed(context.Context, *running) (any, error) { return activities.SendWebhookResult{}, nil }

func lost(context.Context, *running) (any, error) { return nil, errors.New("the worker was lost") }

// attempted is an attempt that failed and is followed by another. SendWebhook signals it; the
// express lane does not, nor does the execution that takes over from it.
func attempted(number int) answer {
	return func(ctx context.Context, r *running) (any, error) {
		log := attemptLog(number, activities.FailureUnavailable)
		if info := activity.GetInfo(ctx); !info.IsLocalActivity && (number > 1 || r.script[activities.SendWebhookExpressType] == nil) {
			if err := r.client.SignalWorkflow(ctx, r.id, "", activities.AttemptFailedSignal, log[number-1]); err != nil {
				return nil, err
			}
		}
		return nil, retryable(log, time.Millisecond)
	}
}

func retryable(log []activities.Attempt, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("503 Service Unavailable", activities.FailureUnavailable, temporal.ApplicationErrorOptions{
		Details: []any{log}, NextRetryDelay: wait,
	})
}

// signalledTwice is an attempt whose signal arrives twice.
func signalledTwice(number int) answer {
	return func(ctx context.Context, r *running) (any, error) {
		_, _ = attempted(number)(ctx, r)
		return attempted(number)(ctx, r)
	}
}

// attemptedThenWait waits for an hour before the next attempt.
func attemptedThenWait(number int) answer {
	return func(ctx context.Context, r *running) (any, error) {
		_, _ = attempted(number)(ctx, r)
		return nil, retryable(attemptLog(number, activities.FailureUnavailable), time.Hour)
	}
}

func rejected(number int) answer { return final(activities.FailureRejected, number) }
func held(attempts int) answer   { return final(activities.FailureHeld, attempts) }
func unknown(attempts int) answer {
	return final(activities.FailureDestinationUnknown, attempts)
}

func final(kind string, attempts int) answer {
	return func(context.Context, *running) (any, error) {
		outcome := activities.FailureUnavailable
		if kind == activities.FailureRejected {
			outcome = kind
		}
		return nil, temporal.NewNonRetryableApplicationError("scripted", kind, nil, attemptLog(attempts, outcome))
	}
}

// gated begins, and goes on when it is opened.
func gated(then answer) answer {
	return func(ctx context.Context, r *running) (any, error) {
		r.began <- struct{}{}
		<-r.opened
		return then(ctx, r)
	}
}

// The answers of the other activities.

func healthy(context.Context, *running) (any, error) { return struct{}{}, nil }

func unhealthy(context.Context, *running) (any, error) {
	return nil, temporal.NewApplicationErrorWithOptions("503 Service Unavailable", activities.FailureUnavailable, temporal.ApplicationErrorOptions{
		NextRetryDelay: time.Millisecond,
	})
}

func broken(context.Context, *running) (any, error) {
	return nil, temporal.NewNonRetryableApplicationError("scripted", "Broken", nil)
}

func released(context.Context, *running) (any, error) {
	return workflows.ReleaseResult{Released: 3}, nil
}

func redelivered(done bool) answer {
	return func(context.Context, *running) (any, error) {
		return workflows.RedeliveryProgress{Found: 1, Started: 1, Done: done}, nil
	}
}

// cancelledPage learns from its heartbeats that the job is cancelled.
func cancelledPage(ctx context.Context, r *running) (any, error) {
	r.began <- struct{}{}
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		<-ticker.C
		activity.RecordHeartbeat(ctx)
	}
	return nil, temporal.NewCanceledError(workflows.RedeliveryProgress{Found: 2, Started: 1})
}

// step is something that happens to a workflow.
type step = func(r *running) error

// steps are several, one after the other.
func steps(all ...step) step {
	return func(r *running) error {
		for _, s := range all {
			if s == nil {
				continue
			}
			if err := s(r); err != nil {
				return err
			}
		}
		return nil
	}
}

func signal(name string, arg any) step {
	return func(r *running) error { return r.client.SignalWorkflow(r.ctx, r.id, "", name, arg) }
}

var (
	signalRelease = signal(workflows.ReleaseSignal, nil)
	pause         = signal(workflows.SetHeldSignal, true)
	resume        = signal(workflows.SetHeldSignal, false)
	fails         = signal(workflows.SetFailingSignal, nil)
	uninstall     = signal(workflows.InstallationDeletedSignal, nil)
	pad           = signal("Padding", padding)
	// grow makes the history so large that Temporal suggests to continue as new.
	grow = steps(pad, pad, pad, pad)
)

func cancel(r *running) error { return r.client.CancelWorkflow(r.ctx, r.id, "") }

func open(r *running) error {
	r.open()
	return nil
}

// during waits until a gated activity has begun.
func during(r *running) error {
	select {
	case <-r.began:
		return nil
	case <-r.ctx.Done():
		return errors.New("the activity has not begun")
	}
}

// cancelDuring and uninstallDuring cancel the workflow or delete its installation while an activity
// runs, which then goes on.
var (
	cancelDuring      = steps(during, cancel, cancelledActivity, open)
	uninstallDuring   = steps(during, uninstall, cancelledActivity, open)
	cancelledActivity = recorded(enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED)
)

// recorded waits until the history has an event of that type.
func recorded(eventType enumspb.EventType) step {
	return func(r *running) error {
		return r.await(eventType.String(), 1, func(recorded *historypb.HistoryEvent) bool { return recorded.GetEventType() == eventType })
	}
}

// handled waits until a workflow task that began after the signal is completed. Signals of two
// names that one task receives do not keep their order.
func handled(signal string) step {
	return func(r *running) error {
		came, begun := false, false
		return r.await("a task after "+signal, 1, func(recorded *historypb.HistoryEvent) bool {
			came = came || recorded.GetWorkflowExecutionSignaledEventAttributes().GetSignalName() == signal
			begun = begun || came && recorded.GetWorkflowTaskStartedEventAttributes() != nil
			return begun && recorded.GetWorkflowTaskCompletedEventAttributes() != nil
		})
	}
}

// inState waits until the delivery has said for so many times that it is in that state.
func inState(state string, count int) step {
	return func(r *running) error {
		return r.await("the state "+state, count, func(recorded *historypb.HistoryEvent) bool {
			for _, value := range recorded.GetUpsertWorkflowSearchAttributesEventAttributes().GetSearchAttributes().GetIndexedFields() {
				return string(value.GetData()) == `"`+state+`"`
			}
			return false
		})
	}
}

// shows waits until the hold has said for so many times that it is in that state.
func shows(state string, count int) step {
	return func(r *running) error {
		return r.await("the memo "+state, count, func(recorded *historypb.HistoryEvent) bool {
			fields := recorded.GetWorkflowPropertiesModifiedEventAttributes().GetUpsertedMemo().GetFields()
			return string(fields[workflows.HoldStateMemo].GetData()) == `"`+state+`"`
		})
	}
}

// continues waits until the workflow has continued as new, and watches the next run from now on.
func continues(r *running) error {
	return r.await("a next run", 1, func(recorded *historypb.HistoryEvent) bool {
		next := recorded.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
		if next != "" {
			r.run = next
		}
		return next != ""
	})
}

func cancelIn(state string) step { return steps(inState(state, 1), cancel) }

// release releases the delivery so many times.
func release(times int) step { return releaseFrom(workflows.StateHeld, times) }

// makeKnown is a worker that knows the destination, and says so so many times.
func makeKnown(times int) step { return releaseFrom(workflows.StateUnknown, times) }

func releaseFrom(state string, times int) step {
	var all []step
	for i := range times {
		all = append(all, inState(state, i+1), signalRelease)
	}
	return steps(all...)
}
