package deliveries

import (
	"context"
	"log/slog"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/gitbook-courier/courier/workflows"
)

const (
	// workersTTL is for how long one look at the workers is relied on.
	workersTTL = 10 * time.Second
	// workerGone is after how long without a poll a worker counts as stopped. Temporal lists it for
	// five minutes; a running one polls at least every 70 seconds.
	workerGone = 90 * time.Second
)

// Workers says whether the workers understand what this release stores.
type Workers struct {
	client client.Client
	log    *slog.Logger
	now    func() time.Time

	mu    sync.Mutex
	asked time.Time
	last  error
}

// NewWorkers makes a look at the workers of a client's namespace. It does no I/O.
func NewWorkers(c client.Client, log *slog.Logger, now func() time.Time) *Workers {
	return &Workers{client: c, log: log, now: now}
}

// OldWorkerError is a worker of an older release than the starter.
type OldWorkerError struct {
	// Worker is its identity in Temporal.
	Worker string
}

func (e *OldWorkerError) Error() string {
	return "worker " + e.Worker + " is of an older release: upgrade the workers first"
}

// Check returns an *OldWorkerError while a worker of an older release polls for work: a delivery of
// this release that it begins could not be continued by a newer worker. A worker that was stopped
// counts for 90 seconds more. While Temporal does not answer, the last answer stands.
func (w *Workers) Check(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if now.Sub(w.asked) < workersTTL {
		return w.last
	}
	queue, err := w.client.DescribeTaskQueue(ctx, workflows.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return w.last
	}
	before := w.last
	w.asked, w.last = now, nil
	for _, poller := range queue.GetPollers() {
		build := poller.GetWorkerVersionCapabilities().GetBuildId() //nolint:staticcheck // workers are told apart by it without being versioned; nothing else has it
		if workflows.Generation(build) < workflows.Generation(workflows.BuildID) && polls(poller, now) {
			w.last = &OldWorkerError{Worker: poller.GetIdentity()}
			break
		}
	}
	switch {
	case w.last != nil && before == nil:
		w.log.Warn("no events are accepted", "error", w.last)
	case w.last == nil && before != nil:
		w.log.Info("all workers are of this release; events are accepted")
	}
	return w.last
}
