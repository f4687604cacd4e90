package workflows_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/hooktest"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/internal/temporaltest"
	"github.com/gitbook-courier/courier/workflows"
)

var accepted = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const event = `{"eventId":"evt_1","type":"space_content_updated","spaceId":"space_1", "n":1e400}`

func input() workflows.DeliveryInput {
	return workflows.DeliveryInput{
		Webhook: activities.Webhook{
			Destination: "search", EventID: "evt_1", TimeoutMs: 10_000, RetriesMs: []int64{1000, 2000, 4000}, RetryAfterMaxMs: 60_000,
		},
		Reason:     workflows.ReasonEvent,
		EventType:  "space_content_updated",
		URL:        "https://search.example.com/hook",
		AcceptedAt: accepted,
	}
}

// toWorkflow signals the workflow of the test environment.
type toWorkflow struct {
	env *testsuite.TestWorkflowEnvironment
}

func (s toWorkflow) SignalWorkflow(_ context.Context, _, _, name string, arg any) error {
	s.env.SignalWorkflow(name, arg)
	return nil
}

// switchable is a Holds that a test switches.
type switchable struct{ held atomic.Bool }

func (s *switchable) Held(context.Context, string) bool    { return s.held.Load() }
func (s *switchable) Report(context.Context, string, bool) {}

// runs is a Runs in which every run began when the event was accepted.
type runs struct{}

func (runs) Event(context.Context, string, string) ([]byte, error) { return []byte(event), nil }

func (runs) FirstTask(context.Context, string, string) (time.Time, string, error) {
	return accepted, "2@host", nil
}

// newEnv is a time-skipping environment in which SendWebhook really posts to the receiver.
func newEnv(t *testing.T, receiver *hooktest.Receiver) *testsuite.TestWorkflowEnvironment {
	return newHeldEnv(t, receiver, &switchable{})
}

// newHeldEnv is newEnv with a hold of the destination that a test switches.
func newHeldEnv(t *testing.T, receiver *hooktest.Receiver, holds activities.Holds) *testsuite.TestWorkflowEnvironment {
	t.Helper()
	suite := &testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	keys, err := seal.NewKeyring()
	require.NoError(t, err)
	target := activities.Target{URL: receiver.URL, Secrets: []string{hooktest.Secret}, AllowPrivate: true}
	acts := activities.New(activities.Options{
		Settings: activities.Settings{
			Destinations:  map[string]activities.Target{"search": target, "ops": target},
			Installations: func(string) (bool, bool) { return false, false },
		},
		Keys:     keys,
		Signaler: toWorkflow{env},
		Journal:  &temporaltest.Journal{},
		Holds:    holds,
		Runs:     runs{},
		Log:      slog.New(slog.DiscardHandler),
		Worker:   "1@host",
		Now:      env.Now,
		Random:   func() float64 { return 0.5 },
	})
	acts.Register(env)
	env.RegisterWorkflow(workflows.Delivery)
	return env
}

// attempt is what a test expects of an entry in the attempt log.
type attempt struct {
	number     int
	statusCode int
	outcome    string
	waitMs     int64
}

func brief(log []activities.Attempt) []attempt {
	all := make([]attempt, len(log))
	for i, a := range log {
		all[i] = attempt{a.Number, a.StatusCode, a.Outcome, a.WaitMs}
	}
	return all
}

func TestDelivery(t *testing.T) {
	t.Parallel()
	status := func(code int) hooktest.Answer { return hooktest.Answer{Status: code} }
	retryAfter := hooktest.Answer{Status: 429, Header: http.Header{"Retry-After": {"30"}}}
	tests := []struct {
		name       string
		giveScript []hooktest.Answer
		want       []attempt
		wantCause  string // failure type and message; empty when delivered
		wantWaited time.Duration
	}{
		{
			name:       "delivered at once",
			giveScript: []hooktest.Answer{status(204)},
			want:       []attempt{{1, 204, "delivered", 0}},
		},
		{
			name:       "retries on 429, then succeeds",
			giveScript: []hooktest.Answer{status(429), status(200)},
			want:       []attempt{{1, 429, "RateLimited", 1050}, {2, 200, "delivered", 0}},
			wantWaited: 1050 * time.Millisecond,
		},
		{
			name:       "delivered at the fourth attempt, whatever the mixture",
			giveScript: []hooktest.Answer{status(500), {Drop: true}, status(503), status(200)},
			want:       []attempt{{1, 500, "Unavailable", 1050}, {2, 0, "Unavailable", 2100}, {3, 503, "Unavailable", 4200}, {4, 200, "delivered", 0}},
			wantWaited: 7350 * time.Millisecond,
		},
		{
			name:       "four requests at most, whatever the mixture",
			giveScript: []hooktest.Answer{status(500), status(429), {Drop: true}, status(502), status(200)},
			want:       []attempt{{1, 500, "Unavailable", 1050}, {2, 429, "RateLimited", 2100}, {3, 0, "Unavailable", 4200}, {4, 502, "Unavailable", 0}},
			wantCause:  "Unavailable: 502 Bad Gateway",
			wantWaited: 7350 * time.Millisecond,
		},
		{
			name:       "rejected at once",
			giveScript: []hooktest.Answer{status(400), status(200)},
			want:       []attempt{{1, 400, "Rejected", 0}},
			wantCause:  "Rejected: 400 Bad Request",
		},
		{
			name:       "rejected after a retry",
			giveScript: []hooktest.Answer{status(500), status(410), status(200)},
			want:       []attempt{{1, 500, "Unavailable", 1050}, {2, 410, "Rejected", 0}},
			wantCause:  "Rejected: 410 Gone",
			wantWaited: 1050 * time.Millisecond,
		},
		{
			name:       "redirects are not followed",
			giveScript: []hooktest.Answer{status(301), status(200)},
			want:       []attempt{{1, 301, "Redirected", 0}},
			wantCause:  "Redirected: 301 Moved Permanently; redirects are not followed, give the final URL",
		},
		{
			name:       "Retry-After lengthens the wait",
			giveScript: []hooktest.Answer{retryAfter, status(200)},
			want:       []attempt{{1, 429, "RateLimited", 30_000}, {2, 200, "delivered", 0}},
			wantWaited: 30 * time.Second,
		},
	}
	for i := range 2 * len(tests) {
		// Whether the first attempt is in the express lane makes no difference.
		tt, express := tests[i/2], i%2 == 0
		t.Run(fmt.Sprintf("%s, express %t", tt.name, express), func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t, tt.giveScript...)
			env := newEnv(t, receiver)
			began := env.Now()
			in := input()
			in.Limited = !express
			env.ExecuteWorkflow(workflows.Delivery, in, activities.EventPayload([]byte(event)))

			require.True(t, env.IsWorkflowCompleted())
			requests := receiver.Requests()
			require.Len(t, requests, len(tt.want))
			for i, request := range requests {
				require.Equal(t, event, string(request.Body))
				require.NoError(t, request.Verified)
				require.Equal(t, []string{"1", "2", "3", "4"}[i], request.Header.Get("Courier-Attempt"))
				require.Equal(t, "evt_1", request.Header.Get("Webhook-Id"))
			}
			require.GreaterOrEqual(t, env.Now().Sub(began), tt.wantWaited)

			if tt.wantCause == "" {
				var result workflows.DeliveryResult
				require.NoError(t, env.GetWorkflowResult(&result))
				require.Equal(t, tt.want, brief(result.Attempts))
				return
			}
			result, cause := undelivered(t, env.GetWorkflowError())
			require.Equal(t, tt.want, brief(result.Attempts))
			require.Equal(t, tt.wantCause, cause)
		})
	}
}

// undelivered takes the failure of a Delivery apart.
func undelivered(t *testing.T, err error) (result workflows.DeliveryResult, cause string) {
	t.Helper()
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, workflows.FailureUndelivered, failure.Type())
	require.True(t, failure.NonRetryable())
	require.NoError(t, failure.Details(&result))
	var inner *temporal.ApplicationError
	require.ErrorAs(t, failure.Unwrap(), &inner)
	require.False(t, inner.HasDetails(), "the log is in the failure once")
	return result, inner.Type() + ": " + inner.Message()
}

func TestDeliveryFailsWithAMessageThatSaysWhy(t *testing.T) {
	t.Parallel()
	env := newEnv(t, hooktest.New(t, hooktest.Repeat(4, hooktest.Answer{Status: 503})...))
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))
	require.ErrorContains(t, env.GetWorkflowError(), "given up after 4 attempts: 503 Service Unavailable")
}

// A schedule of days costs nothing in the time-skipping environment.
func TestDeliveryFollowsADestinationsOwnSchedule(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Repeat(3, hooktest.Answer{Status: 500})...)
	env := newEnv(t, receiver)
	env.SetStartTime(accepted)
	in := input()
	day := 24 * time.Hour
	in.RetriesMs = []int64{5000, day.Milliseconds(), 30 * day.Milliseconds()}
	env.ExecuteWorkflow(workflows.Delivery, in, activities.EventPayload([]byte(event)))

	require.NoError(t, env.GetWorkflowError())
	require.Len(t, receiver.Requests(), 4)
	require.GreaterOrEqual(t, env.Now().Sub(accepted), 32*day, "31 days and their jitter")
}

func TestDeliveryTellsItsStoryWhileItRetries(t *testing.T) {
	t.Parallel()
	env := newEnv(t, hooktest.New(t, hooktest.Answer{Status: 500}, hooktest.Answer{Status: 503}, hooktest.Answer{Status: 200}))
	var during string
	env.RegisterDelayedCallback(func() { during = details(t, env) }, 2*time.Second)
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))

	require.Contains(t, during, "**Retrying.** Attempt 3 of 4 follows at ")
	require.Contains(t, during, "Unavailable: `500 Internal Server Error`\u2003 | 1.05s\u2003 |")
	require.Contains(t, during, "Unavailable: `503 Service Unavailable`\u2003 | 2.1s\u2003 |")
	require.Contains(t, during, "Event `evt_1` of type `space_content_updated` to `search`, `https://search.example.com/hook`")
	after := details(t, env)
	require.Contains(t, after, "**Delivered** at attempt 3.")
	require.Contains(t, after, "delivered, 200")
}

func details(t *testing.T, env *testsuite.TestWorkflowEnvironment) string {
	t.Helper()
	value, err := env.QueryWorkflow("__temporal_workflow_metadata")
	require.NoError(t, err)
	var metadata sdkpb.WorkflowMetadata
	require.NoError(t, value.Get(&metadata))
	return metadata.GetCurrentDetails()
}

func TestDeliveryCancelledWhileItWaits(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 500})
	env := newEnv(t, receiver)
	env.RegisterDelayedCallback(env.CancelWorkflow, 500*time.Millisecond)
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))

	var cancelled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
	var result workflows.DeliveryResult
	require.NoError(t, cancelled.Details(&result))
	require.Equal(t, []attempt{{1, 500, "Unavailable", 1050}}, brief(result.Attempts))
	require.Len(t, receiver.Requests(), 1)
	require.Contains(t, details(t, env), "**Cancelled** after 1 attempt.")
}

func TestDeliveryWaitsWhileItsDestinationIsHeld(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	holds := &switchable{}
	holds.held.Store(true)
	env := newHeldEnv(t, receiver, holds)
	env.SetStartTime(accepted)
	env.RegisterDelayedCallback(func() {
		require.Contains(t, details(t, env), "**Held.**")
		require.Empty(t, receiver.Requests())
		holds.held.Store(false)
		env.SignalWorkflow(workflows.ReleaseSignal, nil)
	}, time.Hour)
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))

	require.NoError(t, env.GetWorkflowError())
	require.Len(t, receiver.Requests(), 1)
	require.GreaterOrEqual(t, env.Now().Sub(accepted), time.Hour)
}

// A hold in the middle of the retries neither loses nor adds an attempt.
func TestDeliveryGoesOnAfterAHoldWithTheAttemptsThatAreLeft(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Repeat(9, hooktest.Answer{Status: 500})...)
	holds := &switchable{}
	env := newHeldEnv(t, receiver, holds)
	// The first attempt is over, the second is due after about a second.
	env.RegisterDelayedCallback(func() { holds.held.Store(true) }, 100*time.Millisecond)
	env.RegisterDelayedCallback(func() {
		require.Len(t, receiver.Requests(), 1)
		// A release that came too early changes nothing.
		env.SignalWorkflow(workflows.ReleaseSignal, nil)
	}, time.Hour)
	env.RegisterDelayedCallback(func() {
		require.Len(t, receiver.Requests(), 1)
		holds.held.Store(false)
		env.SignalWorkflow(workflows.ReleaseSignal, nil)
	}, 2*time.Hour)
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))

	result, _ := undelivered(t, env.GetWorkflowError())
	require.Equal(t, []attempt{{1, 500, "Unavailable", 1050}, {2, 500, "Unavailable", 2100}, {3, 500, "Unavailable", 4200}, {4, 500, "Unavailable", 0}}, brief(result.Attempts))
	require.Len(t, receiver.Requests(), 4)
}

func TestDeliveryCancelledWhileItIsHeld(t *testing.T) {
	t.Parallel()
	holds := &switchable{}
	holds.held.Store(true)
	receiver := hooktest.New(t)
	env := newHeldEnv(t, receiver, holds)
	env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
	require.Empty(t, receiver.Requests())
}

// A delivery that waits is given up when its installation is deleted, with that reason and a notice.
func TestDeliveryOfAnInstallationThatIsDeleted(t *testing.T) {
	t.Parallel()
	holds := &switchable{}
	holds.held.Store(true)
	receiver := hooktest.New(t)
	env := newHeldEnv(t, receiver, holds)
	env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.InstallationDeletedSignal, nil) }, time.Hour)
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))

	result, cause := undelivered(t, env.GetWorkflowError())
	require.Equal(t, workflows.DeliveryResult{Failure: "InstallationDeleted: GitBook uninstalled the integration"}, result)
	require.Equal(t, result.Failure, cause)
	require.Empty(t, receiver.Requests())
}

func TestDeliveryGivesNoticeWhenItIsGivenUp(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 404})
	env := newEnv(t, receiver)
	in, notify := input(), input()
	notify.Destination, notify.EventID = "ops", ""
	in.Notify = &notify
	env.ExecuteWorkflow(workflows.Delivery, in, activities.EventPayload([]byte(event)))

	require.ErrorContains(t, env.GetWorkflowError(), "404 Not Found")
	requests := receiver.Requests()
	require.Len(t, requests, 2)
	require.NoError(t, requests[1].Verified)
	var notice workflows.UndeliveredNotice
	require.NoError(t, json.Unmarshal(requests[1].Body, &notice))
	require.Equal(t, notice.EventID, requests[1].Header.Get("Webhook-Id"))
	require.Equal(t, workflows.UndeliveredNotice{
		EventID:      "undelivered_" + notice.RunID,
		Type:         "courier.delivery.undelivered",
		Destination:  "search",
		URL:          "https://search.example.com/hook",
		Delivery:     workflows.NoticeDelivery{EventID: "evt_1", Type: "space_content_updated"},
		RunID:        notice.RunID,
		Failure:      "Rejected: 404 Not Found",
		AttemptCount: 1,
		AcceptedAt:   accepted,
		ClosedAt:     notice.ClosedAt,
	}, notice)
}

// A notice that cannot be delivered gives no notice of itself.
func TestNoticeGivesNoNotice(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Repeat(9, hooktest.Answer{Status: 404})...)
	env := newEnv(t, receiver)
	in, notify, more := input(), input(), input()
	notify.Destination, more.Destination = "ops", "ops"
	notify.Notify = &more
	in.Notify = &notify
	env.ExecuteWorkflow(workflows.Delivery, in, activities.EventPayload([]byte(event)))
	require.Len(t, receiver.Requests(), 2)
}

func TestEventPayloadIsTheVeryBytes(t *testing.T) {
	t.Parallel()
	odd := []byte("{\"a\" : \"& < > é \u2028 😀\",\r\n\"n\":12345678901234567890}")
	payload := activities.EventPayload(odd).Payload()
	require.Equal(t, &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: odd}, payload)
	var back converter.RawValue
	encoded, err := converter.GetDefaultDataConverter().ToPayload(activities.EventPayload(odd))
	require.NoError(t, err)
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(encoded, &back))
	require.Equal(t, odd, back.Payload().GetData())
}
