package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/grpc"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/workflows"
)

// floorMode is this program as an engine that runs workflows without any work, for callers in its
// own process: nothing that is built on the engine can be faster.
const floorMode = "floor"

// floorKind is what the workflows of a floor are, and their callers.
type floorKind string

const (
	// floorPlain has workflows without anything, and callers that go on as soon as a start is
	// stored.
	floorPlain floorKind = "plain"
	// floorAwaited has callers that wait for the result before they go on. This is how the limit of
	// an engine is mostly measured.
	floorAwaited floorKind = "awaited"
	// floorListed has workflows that can be listed, which has a price of its own.
	floorListed floorKind = "listed"
)

func floorKinds() []floorKind { return []floorKind{floorPlain, floorAwaited, floorListed} }

// floorResult is what the process of the floor prints, in JSON.
type floorResult struct {
	Completed int           `json:"completed"`
	Took      time.Duration `json:"took"`
	CPU       time.Duration `json:"cpu"`
}

// runFloor runs the engine, a client and a worker, and starts workflows.
func runFloor(ctx context.Context, args []string) (err error) {
	flags := flag.NewFlagSet(floorMode, flag.ContinueOnError)
	data := flags.String("data", "", "the `folder` of the databases")
	lasts := flags.Duration("for", 0, "how long workflows are started")
	kind := flags.String("kind", string(floorPlain), "what the workflows are: plain, awaited or listed")
	if err := flags.Parse(args); err != nil || !slices.Contains(floorKinds(), floorKind(*kind)) {
		return errUsage
	}
	e, err := startEngine(ctx, *data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Stop()) }()
	f := &floor{kind: floorKind(*kind), changed: make(chan struct{}, 1)}
	options := e.ClientOptions()
	options.Logger = sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	options.ConnectionOptions.DialOptions = []grpc.DialOption{grpc.WithChainUnaryInterceptor(f.count)}
	if f.client, err = client.DialContext(ctx, options); err != nil {
		return err
	}
	defer f.client.Close()
	w := worker.New(f.client, workflows.TaskQueue, worker.Options{})
	w.RegisterWorkflowWithOptions(nothing, workflow.RegisterOptions{Name: workflows.DeliveryType})
	if err := w.Start(); err != nil {
		return err
	}
	defer w.Stop()

	if _, err := f.run(ctx, times(warmUpEvents)); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	measured, err := f.measure(ctx, *lasts)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(measured)
}

// nothing is the workflow of the floor.
func nothing(workflow.Context) error { return nil }

// floor starts workflows and counts those that are completed.
type floor struct {
	client             client.Client
	kind               floorKind
	started, completed atomic.Int64
	changed            chan struct{}
}

// measure runs workflows for a time and reads what this process uses for them.
func (f *floor) measure(ctx context.Context, lasts time.Duration) (floorResult, error) {
	before, err := settle(ctx, os.Getpid())
	if err != nil {
		return floorResult{}, err
	}
	completed, began := f.completed.Load(), time.Now()
	end, err := f.run(ctx, lasting(lasts))
	if err != nil {
		return floorResult{}, err
	}
	after, err := settle(ctx, os.Getpid())
	return floorResult{
		Completed: int(f.completed.Load() - completed),
		Took:      end.Sub(began),
		CPU:       after.cpu - before.cpu,
	}, err
}

// run starts workflows in a closed loop and returns when the last of them was completed, and when
// that was.
func (f *floor) run(ctx context.Context, more func() bool) (time.Time, error) {
	if err := loop(ctx, concurrentSenders, more, f.start); err != nil {
		return time.Time{}, err
	}
	timer := time.NewTimer(stallTime)
	defer timer.Stop()
	for f.completed.Load() < f.started.Load() {
		select {
		case <-f.changed:
			timer.Reset(stallTime)
		case <-timer.C:
			return time.Time{}, errors.New("workflows are not completed")
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		}
	}
	return time.Now(), nil
}

// start starts one workflow the way Courier starts a delivery.
func (f *floor) start(ctx context.Context) error {
	input := workflows.DeliveryInput{
		Reason: workflows.ReasonEvent, EventType: gitbook.EventSpaceContentUpdated,
		URL: "http://127.0.0.1:9000/fast", AcceptedAt: time.Now().UTC(),
	}
	input.EventID = "evt_floor_" + strconv.FormatInt(f.started.Add(1), 10)
	input.Destination = "fast"
	options := client.StartWorkflowOptions{
		ID:                                       workflows.DeliveryID(input.EventID, input.Destination),
		TaskQueue:                                workflows.TaskQueue,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowIDConflictPolicy:                 enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         true,
	}
	if f.kind == floorListed {
		options.TypedSearchAttributes = workflows.Attributes(input, "inst_def456", "space_xyz789", "")
		options.Memo = workflows.Memo(input, "")
		options.StaticSummary = workflows.Summary(input.EventType, input.Destination)
	}
	run, err := f.client.ExecuteWorkflow(ctx, options, workflows.DeliveryType)
	if err != nil || f.kind != floorAwaited {
		return err
	}
	return run.Get(ctx, nil)
}

// count counts the workflow tasks whose completion the server has confirmed: each of them completes
// a workflow.
func (f *floor) count(ctx context.Context, method string, request, reply any, connection *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption) error {
	err := invoke(ctx, method, request, reply, connection, options...)
	if err == nil && path.Base(method) == "RespondWorkflowTaskCompleted" {
		f.completed.Add(1)
		select {
		case f.changed <- struct{}{}:
		default:
		}
	}
	return err
}
