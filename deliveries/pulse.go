package deliveries

import (
	"context"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"

	"github.com/gitbook-courier/courier/workflows"
)

// pulseSpan is the time over which a Pulse counts.
const pulseSpan = 5 * time.Minute

// Pulse says whether Courier as a whole is at work.
type Pulse struct {
	// PerMinute is how many deliveries a minute have begun, on average over the last 5 minutes.
	PerMinute float64
	// Workers is how many workers have asked for work within 90 seconds. Without one, deliveries
	// wait.
	Workers int

	asked time.Time
}

// Pulse is the pulse now, or that of up to 5 seconds ago. It returns ErrUnavailable when Temporal
// cannot be reached.
func (f *Figures) Pulse(ctx context.Context) (p Pulse, err error) {
	defer translate(&err)
	now := f.store.now()
	f.mu.Lock()
	last := f.pulse
	f.mu.Unlock()
	if now.Sub(last.asked) < figuresTTL {
		return last, nil
	}
	begun, err := f.store.count(ctx, deliveryType+" AND StartTime > "+quoteTime(now.Add(-pulseSpan)))
	if err != nil {
		return Pulse{}, err
	}
	queue, err := f.store.client.DescribeTaskQueue(ctx, workflows.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW)
	if err != nil {
		return Pulse{}, err
	}
	workers := make(map[string]bool)
	for _, poller := range queue.GetPollers() {
		if polls(poller, now) {
			workers[poller.GetIdentity()] = true
		}
	}
	p = Pulse{PerMinute: float64(begun) / pulseSpan.Minutes(), Workers: len(workers), asked: now}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pulse = p
	return p, nil
}

// polls is whether a worker that Temporal lists still runs.
func polls(poller *taskqueuepb.PollerInfo, now time.Time) bool {
	return now.Sub(poller.GetLastAccessTime().AsTime()) < workerGone
}
