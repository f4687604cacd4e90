// Package temporaltest has test doubles of Temporal, for tests alone.
package temporaltest

import (
	"context"
	"sync"

	"go.temporal.io/sdk/activity"

	"github.com/gitbook-courier/courier/activities"
)

// Journal is an activities.Journal on the heartbeats of Temporal's test environment, which hands
// them to the next execution.
type Journal struct {
	// OnSending, when not nil, decides what Sending returns. The log is recorded first, as Temporal
	// does.
	OnSending func(ctx context.Context, log []activities.Attempt) error

	mu   sync.Mutex
	logs [][]activities.Attempt
}

var _ activities.Journal = (*Journal)(nil)

// Sending implements activities.Journal.
func (j *Journal) Sending(ctx context.Context, _ []byte, log []activities.Attempt) error {
	j.record(ctx, log)
	if j.OnSending != nil {
		return j.OnSending(ctx, log)
	}
	return nil
}

// Failed implements activities.Journal. The failure is left to the SDK.
func (j *Journal) Failed(ctx context.Context, _ []byte, log []activities.Attempt, failure error) error {
	j.record(ctx, log)
	return failure
}

func (j *Journal) record(ctx context.Context, log []activities.Attempt) {
	activity.RecordHeartbeat(ctx, log)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.logs = append(j.logs, append([]activities.Attempt{}, log...))
}

// Logs are the logs that were recorded, the oldest first.
func (j *Journal) Logs() [][]activities.Attempt {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.logs
}
