package workflows_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/internal/hooktest"
	"github.com/gitbook-courier/courier/workflows"
)

// A first workflow task that was begun before, by a worker that vanished, may have sent: it counts,
// so that there are never more than four requests.
func TestDeliveryCountsAnAttemptThatWasLost(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Repeat(9, hooktest.Answer{Status: 500})...)
	env := newEnv(t, receiver)
	env.SetCurrentHistoryLength(6) // started, task scheduled, started, timed out, scheduled, started
	env.ExecuteWorkflow(workflows.Delivery, input(), activities.EventPayload([]byte(event)))

	result, _ := undelivered(t, env.GetWorkflowError())
	require.Equal(t, []attempt{{1, 0, "interrupted", 1050}, {2, 500, "Unavailable", 2100}, {3, 500, "Unavailable", 4200}, {4, 500, "Unavailable", 0}}, brief(result.Attempts))
	require.Equal(t, "2@host", result.Attempts[0].Worker)
	require.Len(t, receiver.Requests(), 3)
}

// The only attempt of a schedule without retries is never in the express lane, where a crash could
// leave the delivery without any.
func TestDeliveryWithoutRetriesIsSentAfterACrash(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	env := newEnv(t, receiver)
	env.SetCurrentHistoryLength(6)
	in := input()
	in.RetriesMs = nil
	env.ExecuteWorkflow(workflows.Delivery, in, activities.EventPayload([]byte(event)))
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, receiver.Requests(), 1)
}

func TestTaskTimeoutLeavesTimeForAnAttempt(t *testing.T) {
	t.Parallel()
	in := input()
	require.Equal(t, 15*time.Second, workflows.TaskTimeout(in))
	in.Limited = true
	require.Zero(t, workflows.TaskTimeout(in))
}
