package engine

import (
	"context"
	"time"

	"go.temporal.io/server/common/headers"
)

// How far callers stand back in line for a database. A start, a signal or a question of somebody
// who waits for the answer goes before the server's own work, of which a backlog has any amount,
// and that is done a little later instead of never.
const (
	backgroundStandsBack = 250 * time.Millisecond
	othersStandBack      = 50 * time.Millisecond
)

// foreground are the calls in which somebody waits for an answer, by the name of the API method
// that was called first.
var foreground = map[string]bool{
	"StartWorkflowExecution":           true,
	"SignalWithStartWorkflowExecution": true,
	"SignalWorkflowExecution":          true,
	"RequestCancelWorkflowExecution":   true,
	"TerminateWorkflowExecution":       true,
	"DescribeWorkflowExecution":        true,
	"GetWorkflowExecutionHistory":      true,
	"ListWorkflowExecutions":           true,
	"CountWorkflowExecutions":          true,
	"QueryWorkflow":                    true,
	"PauseActivity":                    true,
	"UnpauseActivity":                  true,
}

// standBack is how far the caller of a database stands back, by what the server says of it. What
// the server does for itself without saying so, such as at its start, does not stand back.
func standBack(ctx context.Context) time.Duration {
	caller := headers.GetCallerInfo(ctx)
	switch caller.CallerType {
	case headers.CallerTypeBackgroundHigh, headers.CallerTypeBackgroundLow, headers.CallerTypePreemptable:
		return backgroundStandsBack
	case headers.CallerTypeAPI:
		if !foreground[caller.CallOrigin] {
			return othersStandBack
		}
	}
	return 0
}
