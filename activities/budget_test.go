package activities_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// The budget counts requests: the log has an entry for each one that was or may have been made, and
// for nothing else.

func TestNothingIsSentBeforeItIsRecorded(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	b := newBench(t, targetOf(receiver))
	b.journal.OnSending = func(_ context.Context, log []activities.Attempt) error {
		require.Empty(t, receiver.Requests())
		require.Equal(t, activities.OutcomeSending, log[0].Outcome)
		return nil
	}
	_, err := b.send(input())
	require.NoError(t, err)
	require.Len(t, receiver.Requests(), 1)
}

// When the record may not have been made, or says that the delivery is not to be sent, no request
// follows and the entry is taken back.
func TestARequestThatIsNotMadeLeavesNoEntry(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give error
		want string
	}{
		{"Temporal does not answer", context.DeadlineExceeded, "NotSent"},
		{"paused in Temporal", activity.ErrActivityPaused, "NotSent"},
		{"cancelled", temporal.NewCanceledError(), "Cancelled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t)
			b := newBench(t, targetOf(receiver))
			b.journal.OnSending = func(context.Context, []activities.Attempt) error { return tt.give }
			in := input()
			in.Log.Attempts = []activities.Attempt{{Number: 1, Outcome: "Unavailable", Error: "503 Service Unavailable"}}
			_, err := b.send(in)
			require.Equal(t, tt.want, failureOf(t, err).kind)
			require.Empty(t, receiver.Requests())
			logs := b.journal.Logs()
			require.Equal(t, in.Log.Attempts, logs[len(logs)-1])
		})
	}
}

func TestAnExecutionThatTemporalHasGivenUpReportsNothing(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	b := newBench(t, targetOf(receiver))
	b.journal.OnSending = func(context.Context, []activities.Attempt) error { return activities.ErrGone }
	_, err := b.send(input())
	require.ErrorIs(t, err, activity.ErrResultPending)
	require.Empty(t, receiver.Requests())
	require.Len(t, b.journal.Logs(), 1)
}

func TestExecutionsWithoutARequestUseUpNoAttempt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give func(*bench, *activities.SendWebhookInput)
		want failure
	}{
		{
			"held", func(b *bench, _ *activities.SendWebhookInput) { b.holds.held = true },
			failure{kind: "Held", message: "deliveries to search are held", final: true, log: []activities.Attempt{}},
		},
		{
			"unknown", func(_ *bench, in *activities.SendWebhookInput) { in.Destination = "gone" },
			failure{kind: "DestinationUnknown", message: `the configuration has no destination "gone"`, final: true, log: []activities.Attempt{}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t)
			b, in := newBench(t, targetOf(receiver)), input()
			tt.give(b, &in)
			_, err := b.send(in)
			require.Equal(t, tt.want, failureOf(t, err))
			require.Empty(t, receiver.Requests())
			require.Empty(t, b.journal.Logs())
		})
	}
}

// The heartbeat details of an execution whose worker vanished.
func TestAnAttemptIsInterruptedOnlyIfItMayHaveBeenMade(t *testing.T) {
	t.Parallel()
	made := activities.Attempt{Number: 1, StartedAt: clock, StatusCode: 503, Outcome: "Unavailable", Error: "503 Service Unavailable", WaitMs: 1000}
	sending := activities.Attempt{Number: 2, StartedAt: clock, Outcome: activities.OutcomeSending}
	tests := []struct {
		name string
		give []activities.Attempt
		want []string
	}{
		{"it waited for a turn", []activities.Attempt{made}, []string{"Unavailable", "delivered"}},
		{"it was sending", []activities.Attempt{made, sending}, []string{"Unavailable", "interrupted", "delivered"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t)
			b := newBench(t, targetOf(receiver))
			b.env.SetHeartbeatDetails(tt.give)
			log, err := b.send(input())
			require.NoError(t, err)
			require.Equal(t, tt.want, outcomesOf(log))
			require.Len(t, receiver.Requests(), 1)
		})
	}
}

func TestTheLastAttemptMayBeInterrupted(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	b := newBench(t, targetOf(receiver))
	var log []activities.Attempt
	for n := range 4 {
		log = append(log, activities.Attempt{Number: n + 1, Outcome: "Unavailable", Error: "503 Service Unavailable"})
	}
	log[3].Outcome, log[3].Error = activities.OutcomeSending, ""
	b.env.SetHeartbeatDetails(log)
	_, err := b.send(input())
	got := failureOf(t, err)
	require.True(t, got.final)
	require.Equal(t, "Unavailable", got.kind)
	require.Equal(t, []string{"Unavailable", "Unavailable", "Unavailable", "interrupted"}, outcomesOf(got.log))
	require.Empty(t, receiver.Requests(), "never five requests")
}

// failing is a Journal that can't report a failure.
type failing struct{ *bench }

func (f failing) Sending(ctx context.Context, token []byte, log []activities.Attempt) error {
	return f.journal.Sending(ctx, token, log)
}

func (failing) Failed(context.Context, []byte, []activities.Attempt, error) error {
	return errors.New("Temporal cannot be reached")
}

// A worker that could not report an attempt knows what came of it when Temporal has it made again.
func TestAnAttemptThatCouldNotBeReportedIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 503})
	b := newBench(t, targetOf(receiver))
	b.options.Journal = failing{b}
	a := activities.New(b.options)
	b.env.RegisterActivity(a.SendWebhook)
	_, err := b.env.ExecuteActivity(a.SendWebhook, input(), nil)
	require.ErrorContains(t, err, "cannot be reached")
	logs := b.journal.Logs()
	require.Equal(t, []string{"sending"}, outcomesOf(logs[len(logs)-1]), "this is all that Temporal has")

	b.env.SetHeartbeatDetails(logs[len(logs)-1])
	a.Journal = &b.journal
	_, err = b.env.ExecuteActivity(a.SendWebhook, input(), nil)
	require.Equal(t, failure{kind: "Unavailable", message: "503 Service Unavailable", next: failureOf(t, err).next}, failureOf(t, err))
	require.Len(t, receiver.Requests(), 1)
	logs = b.journal.Logs()
	require.Equal(t, []string{"Unavailable"}, outcomesOf(logs[len(logs)-1]))
}

// Workflows of 0.2 pass the event along and a bare array as the log, and have to be told when
// nothing could be sent.
func TestWorkflowsOfEarlierReleasesAreServed(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	b := newBench(t, targetOf(receiver))
	const old = `{"destination":"search","eventId":"evt_1","attempts":[{"number":1,"outcome":"Unavailable"}],"timeoutMs":10000,"retriesMs":[1000,2000,4000],"retryAfterMaxMs":60000}`
	const other = `{"eventId":"evt_1","type":"site_view"}`
	log, err := b.execute(json.RawMessage(old), activities.EventPayload([]byte(other)))
	require.NoError(t, err)
	require.Equal(t, []string{"Unavailable", "delivered"}, outcomesOf(log))
	require.Equal(t, other, string(receiver.Requests()[0].Body))

	b.journal.OnSending = func(context.Context, []activities.Attempt) error { return context.DeadlineExceeded }
	_, err = b.execute(json.RawMessage(old), activities.EventPayload([]byte(other)))
	got := failureOf(t, err)
	require.Equal(t, "NoTurn", got.kind)
	require.True(t, got.final)
	require.Len(t, got.log, 1)
}

// A worker of 0.2 must not take an execution whose event it would not read.
func TestWorkersOfEarlierReleasesRefuseTheInput(t *testing.T) {
	t.Parallel()
	data, err := json.Marshal(input())
	require.NoError(t, err)
	var old struct {
		Attempts []activities.Attempt `json:"attempts"`
	}
	require.Error(t, json.Unmarshal(data, &old))
	var back activities.SendWebhookInput
	require.NoError(t, json.Unmarshal(data, &back))
	require.Equal(t, input(), back)
}

func outcomesOf(log []activities.Attempt) []string {
	all := make([]string, len(log))
	for i, attempt := range log {
		all[i] = attempt.Outcome
	}
	return all
}
