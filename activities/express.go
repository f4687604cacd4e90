package activities

import (
	"context"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// express makes the first attempt in the express lane, once for each run.
func (a *Activities) express(ctx context.Context, in SendWebhookInput, event converter.RawValue) (SendWebhookResult, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	if in.Repeated {
		if first, ok := a.outcomes.recall(run.RunID); ok {
			return first.result, first.err
		}
		lost := CompleteLog(nil, 1)
		begun, worker, err := a.Runs.FirstTask(ctx, run.ID, run.RunID)
		if err != nil {
			activity.GetLogger(ctx).Warn("it is unknown when the attempt began", "error", err)
		}
		lost[0].StartedAt, lost[0].Worker = begun.UTC(), worker
		return SendWebhookResult{}, handOver(FailureUnavailable, lost)
	}
	var first firstAttempt
	if started := a.Now(); a.limiters[in.Destination] == nil && a.lanes.enter(in.Destination, started) {
		defer a.lanes.leave(in.Destination, started)
		first.result, first.err = a.send(ctx, in, event, nil)
	}
	a.outcomes.remember(run.RunID, first)
	return first.result, first.err
}

// takeOver fails as the attempt in the express lane did, so that Temporal
// counts it and waits for what is left of the wait.
func (a *Activities) takeOver(ctx context.Context, in SendWebhookInput) error {
	log := slices.Clone(in.Attempts)
	last := &log[len(log)-1]
	left := milliseconds(last.WaitMs)
	if last.WaitMs == 0 { // it was interrupted, and nobody drew the wait
		left = delay(in.Retries()[last.Number-1], 0, 0, a.Random())
		last.WaitMs = left.Milliseconds()
	} else {
		// The duration was cut to milliseconds, and no wait may be too short.
		// Another worker's clock may be behind.
		ended := last.StartedAt.Add(milliseconds(last.DurationMs + 1))
		left = min(left, left-a.Now().Sub(ended))
	}
	kind := last.Outcome
	if kind == OutcomeInterrupted {
		kind = FailureUnavailable
	}
	activity.RecordHeartbeat(ctx, log)
	// No delay at all would mean the policy's own.
	return retryable(kind, last.Error, max(left, time.Millisecond))
}

// handOver is the failure of the first attempt, which the workflow hands to
// Temporal's own retry policy.
func handOver(kind string, log []Attempt) error {
	return temporal.NewApplicationErrorWithOptions(log[len(log)-1].Error, kind, temporal.ApplicationErrorOptions{Details: []any{log}})
}
