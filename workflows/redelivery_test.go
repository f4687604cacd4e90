package workflows_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/workflows"
)

func newRedeliveryEnv(page func(context.Context, workflows.RedeliveryInput) (workflows.RedeliveryProgress, error)) *testsuite.TestWorkflowEnvironment {
	suite := &testsuite.WorkflowTestSuite{}
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivityWithOptions(page, activity.RegisterOptions{Name: workflows.RedeliverPageActivity})
	return env
}

func job() workflows.RedeliveryInput {
	return workflows.RedeliveryInput{ID: "1", Destination: "search", Status: "undelivered", Until: accepted, PerSecond: 50}
}

func TestRedeliveryGoesThroughAllPages(t *testing.T) {
	t.Parallel()
	pages := 0
	env := newRedeliveryEnv(func(_ context.Context, in workflows.RedeliveryInput) (workflows.RedeliveryProgress, error) {
		pages++
		if pages == 2 {
			return in.Progress, errors.New("Temporal out of reach") // and once more
		}
		p := in.Progress
		p.Found, p.Started, p.Done = p.Found+500, p.Started+500, p.Found == 1000
		p.Cursor += "x"
		return p, nil
	})
	env.ExecuteWorkflow(workflows.Redelivery, job())
	require.NoError(t, env.GetWorkflowError())
	var got workflows.RedeliveryProgress
	require.NoError(t, env.GetWorkflowResult(&got))
	require.Equal(t, workflows.RedeliveryProgress{Found: 1500, Started: 1500, Cursor: "xxx", Done: true}, got)
	require.Contains(t, details(t, env), "| 1500\u2003 | 1500\u2003 | 0\u2003 | 0\u2003 |")
}

// The history of a job must not grow with what it has to do.
func TestRedeliveryContinuesAsNewWithItsProgress(t *testing.T) {
	t.Parallel()
	env := newRedeliveryEnv(func(_ context.Context, in workflows.RedeliveryInput) (workflows.RedeliveryProgress, error) {
		in.Progress.Found++
		return in.Progress, nil
	})
	env.ExecuteWorkflow(workflows.Redelivery, job())
	var again *workflow.ContinueAsNewError
	require.ErrorAs(t, env.GetWorkflowError(), &again)
	var next workflows.RedeliveryInput
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(again.Input, &next))
	want := job()
	want.Progress.Found = 100
	require.Equal(t, want, next)
}

func TestRedeliveryCancelledTellsHowFarItCame(t *testing.T) {
	t.Parallel()
	env := newRedeliveryEnv(func(_ context.Context, in workflows.RedeliveryInput) (workflows.RedeliveryProgress, error) {
		if in.Progress.Found > 0 {
			return in.Progress, errors.New("wait")
		}
		in.Progress.Found, in.Progress.Started = 500, 500
		return in.Progress, nil
	})
	env.RegisterDelayedCallback(env.CancelWorkflow, 500*time.Millisecond)
	env.ExecuteWorkflow(workflows.Redelivery, job())
	var cancelled *temporal.CanceledError
	require.ErrorAs(t, env.GetWorkflowError(), &cancelled)
	var got workflows.RedeliveryProgress
	require.NoError(t, cancelled.Details(&got))
	require.Equal(t, workflows.RedeliveryProgress{Found: 500, Started: 500}, got)
}
