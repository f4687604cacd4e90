package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// now is a clock that a test moves.
type now struct{ time.Time }

// expressBench makes first attempts in the express lane of one worker.
func expressBench(t *testing.T, target activities.Target) (send func(activities.ExpressInput) ([]activities.Attempt, error), at *now) {
	t.Helper()
	b := newBench(t, target)
	at = &now{clock}
	b.options.Now = func() time.Time { return at.Time }
	send = b.express(t)
	t.Cleanup(func() {
		require.Empty(t, b.journal.Logs(), "its log is in the history with its result")
		require.Empty(t, b.signals.all, "its workflow waits for it")
	})
	return send, at
}

// express is the express lane of a new worker.
func (b *bench) express(t *testing.T) func(activities.ExpressInput) ([]activities.Attempt, error) {
	t.Helper()
	a := activities.New(b.options)
	suite := &testsuite.WorkflowTestSuite{}
	env := suite.NewTestActivityEnvironment()
	env.RegisterActivity(a.SendWebhookExpress)
	return func(in activities.ExpressInput) ([]activities.Attempt, error) {
		value, err := env.ExecuteLocalActivity(a.SendWebhookExpress, in, activities.EventPayload([]byte(oddEvent)))
		if err != nil {
			return nil, err
		}
		var result activities.SendWebhookResult
		err = value.Get(&result)
		return result.Attempts, err
	}
}

func first() activities.ExpressInput { return activities.ExpressInput{Webhook: input().Webhook} }

func TestExpressLaneDelivers(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	send, _ := expressBench(t, targetOf(receiver))
	log, err := send(first())
	require.NoError(t, err)
	require.Equal(t, []activities.Attempt{{Number: 1, StartedAt: clock, StatusCode: 200, Outcome: activities.OutcomeDelivered, Worker: "1@host"}}, log)
	require.Equal(t, oddEvent, string(receiver.Requests()[0].Body))
}

// A failure that is to be retried carries the log, for the activity that takes over; a final one is
// as it is outside of the lane.
func TestExpressLaneHandsOver(t *testing.T) {
	t.Parallel()
	send, _ := expressBench(t, targetOf(hooktest.New(t, hooktest.Answer{Status: 503})))
	_, err := send(first())
	require.Equal(t, failure{kind: "Unavailable", message: "503 Service Unavailable", log: []activities.Attempt{{
		Number: 1, StartedAt: clock, StatusCode: 503, Outcome: "Unavailable", Error: "503 Service Unavailable", WaitMs: 1050, Worker: "1@host",
	}}}, failureOf(t, err))

	send, _ = expressBench(t, targetOf(hooktest.New(t, hooktest.Answer{Status: 404})))
	_, err = send(first())
	require.Equal(t, "Rejected", failureOf(t, err).kind)
	require.True(t, failureOf(t, err).final)
}

func TestExpressLaneIsClosedAfterAFailure(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 503})
	send, at := expressBench(t, targetOf(receiver))
	_, err := send(first())
	require.Error(t, err)
	for _, after := range []time.Duration{0, 9999 * time.Millisecond} {
		at.Time = clock.Add(after)
		log, err := send(first())
		require.NoError(t, err)
		require.Empty(t, log, "nothing is sent after %s", after)
		require.Len(t, receiver.Requests(), 1)
	}
	at.Time = clock.Add(10 * time.Second)
	log, err := send(first())
	require.NoError(t, err)
	require.Len(t, log, 1)
	require.Len(t, receiver.Requests(), 2)
}

func TestExpressLaneIsNotForDestinationsWithLimits(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	target := targetOf(receiver)
	target.Limits.PerSecond = 5
	send, _ := expressBench(t, target)
	log, err := send(first())
	require.NoError(t, err)
	require.Empty(t, log)
	require.Empty(t, receiver.Requests())
}

// A workflow task that could not be reported is done again by the same worker, which knows what the
// attempt came to, or by another, which does not.
func TestExpressLaneSendsOnceForEachRun(t *testing.T) {
	t.Parallel()
	repeated := first()
	repeated.Repeated = true

	receiver := hooktest.New(t)
	send, _ := expressBench(t, targetOf(receiver))
	first, err := send(first())
	require.NoError(t, err)
	again, err := send(repeated)
	require.NoError(t, err)
	require.Equal(t, first, again)
	require.Len(t, receiver.Requests(), 1)

	send, _ = expressBench(t, targetOf(receiver))
	_, err = send(repeated)
	require.Equal(t, failure{
		kind:    "Unavailable",
		message: "the worker stopped before it could report the outcome; the request may have arrived",
		log: []activities.Attempt{{
			Number: 1, StartedAt: clock.Add(-time.Minute), Outcome: activities.OutcomeInterrupted, Worker: "2@host",
			Error: "the worker stopped before it could report the outcome; the request may have arrived",
		}},
	}, failureOf(t, err))
	require.Len(t, receiver.Requests(), 1)
}

// The first execution makes no request, and fails as the attempt in the express lane did.
func TestSendWebhookTakesOver(t *testing.T) {
	t.Parallel()
	failed := activities.Attempt{
		Number: 1, StartedAt: clock.Add(-300 * time.Millisecond), DurationMs: 99, StatusCode: 429, Outcome: "RateLimited", Error: "429 Too Many Requests", WaitMs: 1050,
	}
	ahead := failed
	ahead.StartedAt = clock.Add(time.Minute)
	late := failed
	late.StartedAt = clock.Add(-time.Minute)
	lost := activities.Attempt{Number: 1, StartedAt: clock.Add(-time.Minute), Outcome: activities.OutcomeInterrupted, Error: "lost"}
	drawn := lost
	drawn.WaitMs = 1050
	tests := []struct {
		name    string
		give    activities.Attempt
		want    failure
		wantLog activities.Attempt
	}{
		{"the rest of the wait is left", failed, failure{kind: "RateLimited", message: "429 Too Many Requests", next: 850 * time.Millisecond}, failed},
		{"another clock is ahead", ahead, failure{kind: "RateLimited", message: "429 Too Many Requests", next: 1050 * time.Millisecond}, ahead},
		{"the wait is over", late, failure{kind: "RateLimited", message: "429 Too Many Requests", next: time.Millisecond}, late},
		{"an attempt that was lost", lost, failure{kind: "Unavailable", message: "lost", next: 1050 * time.Millisecond}, drawn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t)
			b := newBench(t, targetOf(receiver))
			in := input()
			in.HandedOver, in.Log.Attempts = true, []activities.Attempt{tt.give}
			_, err := b.send(in)
			require.Equal(t, tt.want, failureOf(t, err))
			require.Equal(t, [][]activities.Attempt{{tt.wantLog}}, b.journal.Logs())
			require.Empty(t, receiver.Requests())
			require.Empty(t, b.signals.all)
		})
	}
}
