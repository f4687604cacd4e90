package workflows_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/hooktest"
	"github.com/gitbook-courier/courier/workflows"
)

// states records the values that a workflow gives the search attribute State.
func states(env *testsuite.TestWorkflowEnvironment) *[]string {
	var all []string
	env.OnUpsertTypedSearchAttributes(mock.Anything).Return(nil).Run(func(args mock.Arguments) {
		value, _ := args.Get(0).(temporal.SearchAttributes).GetKeyword(workflows.State) // absent is unset
		all = append(all, value)
	})
	return &all
}

func TestStateSaysWhatADeliveryWaitsFor(t *testing.T) {
	t.Parallel()
	unavailable := hooktest.Answer{Status: 503}
	tests := []struct {
		name       string
		giveScript []hooktest.Answer
		giveHeld   bool
		giveLimits bool
		want       []string
	}{
		{name: "delivered at once", want: nil},
		{name: "rejected at once", giveScript: []hooktest.Answer{{Status: 404}}, want: nil},
		{name: "retried", giveScript: []hooktest.Answer{unavailable, unavailable}, want: []string{"retrying", ""}},
		{name: "retried outside of the express lane", giveScript: []hooktest.Answer{unavailable, unavailable}, giveLimits: true, want: []string{"retrying", ""}},
		{name: "held", giveHeld: true, want: []string{"held", ""}},
		{name: "held, then retried", giveScript: []hooktest.Answer{unavailable}, giveHeld: true, want: []string{"held", "", "retrying", ""}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			holds := &switchable{}
			holds.held.Store(tt.giveHeld)
			env := newHeldEnv(t, hooktest.New(t, tt.giveScript...), holds)
			got := states(env)
			env.RegisterDelayedCallback(func() {
				holds.held.Store(false)
				env.SignalWorkflow(workflows.ReleaseSignal, nil)
			}, time.Hour)
			in := input()
			in.Limited = tt.giveLimits
			env.ExecuteWorkflow(workflows.Delivery, in, activities.EventPayload([]byte(event)))
			require.True(t, env.IsWorkflowCompleted())
			require.Equal(t, tt.want, *got)
		})
	}
}

// unknownEnv is an environment whose worker learns of the destination by and by.
type unknownEnv struct {
	*testsuite.TestWorkflowEnvironment

	mu    sync.Mutex
	known bool
	looks []time.Duration // since the start
}

func newUnknownEnv() *unknownEnv {
	suite := &testsuite.WorkflowTestSuite{}
	e := &unknownEnv{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment()}
	e.SetStartTime(accepted)
	send := func() (activities.SendWebhookResult, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.looks = append(e.looks, e.Now().Sub(accepted).Round(time.Minute))
		if !e.known {
			return activities.SendWebhookResult{}, temporal.NewNonRetryableApplicationError(
				`the configuration has no destination "search"`, activities.FailureDestinationUnknown, nil, []activities.Attempt{})
		}
		return activities.SendWebhookResult{Attempts: []activities.Attempt{{Number: 1, StatusCode: 200, Outcome: activities.OutcomeDelivered}}}, nil
	}
	e.RegisterActivityWithOptions(func(context.Context, activities.ExpressInput, converter.RawValue) (activities.SendWebhookResult, error) {
		return send()
	}, activity.RegisterOptions{Name: activities.SendWebhookExpressType})
	e.RegisterActivityWithOptions(func(context.Context, activities.SendWebhookInput) (activities.SendWebhookResult, error) {
		return send()
	}, activity.RegisterOptions{Name: activities.SendWebhookType})
	return e
}

func (e *unknownEnv) learn() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known = true
}

func TestADestinationThatNoWorkerKnowsIsWaitedFor(t *testing.T) {
	t.Parallel()
	e := newUnknownEnv()
	got := states(e.TestWorkflowEnvironment)
	e.RegisterDelayedCallback(func() {
		require.Contains(t, details(t, e.TestWorkflowEnvironment), "No worker knows this destination")
		e.learn()
	}, 20*time.Minute)
	e.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))
	require.NoError(t, e.GetWorkflowError())
	minutes := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	require.Equal(t, []time.Duration{0, minutes(1), minutes(3), minutes(7), minutes(15), minutes(31)}, e.looks)
	require.Equal(t, []string{"unknown", "", "unknown", "", "unknown", "", "unknown", "", "unknown", "", ""}[:len(*got)], *got)
}

func TestAWorkerThatKnowsTheDestinationEndsTheWait(t *testing.T) {
	t.Parallel()
	e := newUnknownEnv()
	e.RegisterDelayedCallback(func() {
		e.learn()
		e.SignalWorkflow(workflows.ReleaseSignal, nil)
	}, 20*time.Minute)
	e.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))
	require.NoError(t, e.GetWorkflowError())
	require.Equal(t, 20*time.Minute, e.looks[len(e.looks)-1])
}

func TestADestinationThatStaysUnknownIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, patience := range map[string]time.Duration{"by default": 0, "as configured": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newUnknownEnv()
			in := input()
			in.UnknownPatienceMs = patience.Milliseconds()
			e.ExecuteWorkflow(workflows.Delivery, in, activities.EventPayload([]byte(event)))
			result, cause := undelivered(t, e.GetWorkflowError())
			require.Empty(t, result.Attempts)
			require.Equal(t, `DestinationUnknown: the configuration has no destination "search"`, cause)
			require.Equal(t, cause, result.Failure)
			if patience == 0 {
				patience = 24 * time.Hour
			}
			require.Equal(t, patience, e.looks[len(e.looks)-1], "it looks once more at the end")
			require.Less(t, len(e.looks), 14)
		})
	}
}

// Waiting costs nothing that grows with the event or with time: the event is in the history once,
// whatever happens.
func TestALargeEventWaitsForAMonth(t *testing.T) {
	t.Parallel()
	holds := &switchable{}
	receiver := hooktest.New(t, hooktest.Repeat(3, hooktest.Answer{Status: 503})...)
	env := newHeldEnv(t, receiver, holds)
	env.SetStartTime(accepted)
	stored := 0
	env.SetOnActivityStartedListener(func(_ *activity.Info, _ context.Context, args converter.EncodedValues) {
		var in activities.SendWebhookInput
		require.NoError(t, args.Get(&in))
		encoded, err := converter.GetDefaultDataConverter().ToPayloads(in)
		require.NoError(t, err)
		stored += encoded.GetPayloads()[0].Size()
	})
	const day = 24 * time.Hour
	for n := range 30 { // held, and let go on for a moment, every day
		env.RegisterDelayedCallback(func() { holds.held.Store(true) }, time.Duration(n)*day+time.Second/2)
		env.RegisterDelayedCallback(func() {
			holds.held.Store(n < 29)
			env.SignalWorkflow(workflows.ReleaseSignal, nil)
		}, time.Duration(n+1)*day)
	}
	large := `{"eventId":"evt_1","type":"site_view","s":"` + strings.Repeat("x", 3<<19) + `"}`
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(large)))
	require.NoError(t, env.GetWorkflowError())
	require.GreaterOrEqual(t, env.Now().Sub(accepted), 29*day)
	require.Less(t, len(large)+stored, 4<<20, "bytes of history")
	require.Less(t, stored, 64<<10)
}

// A history that has become long is followed by another, which goes on with the log and the state.
func TestALongHistoryContinuesAsNew(t *testing.T) {
	t.Parallel()
	holds := &switchable{}
	env := newHeldEnv(t, hooktest.New(t, hooktest.Answer{Status: 503}), holds)
	env.RegisterDelayedCallback(func() { holds.held.Store(true) }, time.Second/2)
	env.RegisterDelayedCallback(func() {
		env.SetContinueAsNewSuggested(true)
		env.SignalWorkflow(workflows.ReleaseSignal, nil)
	}, time.Hour)
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &again)
	require.Equal(t, "Delivery", again.WorkflowType.Name)
	var (
		in  workflows.DeliveryInput
		raw converter.RawValue
	)
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &in, &raw))
	require.Equal(t, event, string(raw.Payload().GetData()))
	require.Equal(t, "retrying", in.Continued.State)
	require.Equal(t, []attempt{{1, 503, "Unavailable", 1050}}, brief(in.Continued.Attempts))

	receiver := hooktest.New(t)
	next := newEnv(t, receiver)
	next.ExecuteWorkflow(workflows.Delivery, in, raw)
	require.NoError(t, next.GetWorkflowError())
	var result workflows.DeliveryResult
	require.NoError(t, next.GetWorkflowResult(&result))
	require.Equal(t, []attempt{{1, 503, "Unavailable", 1050}, {2, 200, "delivered", 0}}, brief(result.Attempts))
	require.Equal(t, "2", receiver.Requests()[0].Header.Get("Courier-Attempt"))
}
