package workflows

import (
	"errors"
	"strconv"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// RedeliverPageActivity is the name of the activity of a Redelivery.
const RedeliverPageActivity = "RedeliverPage"

// RedeliveryInput is the input of a Redelivery: which deliveries to send again, and how far an
// earlier run of the job has come.
type RedeliveryInput struct {
	// ID is the job's id.
	ID string `json:"id"`
	// Destination, Type and Status filter the deliveries; empty does not filter.
	Destination string `json:"destination,omitempty"`
	Type        string `json:"type,omitempty"`
	Status      string `json:"status,omitempty"`
	// Since and Until bound when the deliveries' latest run started. Until is never later than the
	// job's own start, so that the job cannot find what it has started.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until"`
	// DryRun finds and counts, but starts nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// PerSecond bounds how many deliveries are started in a second.
	PerSecond int `json:"perSecond"`
	// Progress is how far earlier runs have come.
	Progress RedeliveryProgress `json:"progress"`
}

// RedeliveryProgress says how far a Redelivery has come. It is the result of the job and of each
// page, and the heartbeat within a page.
type RedeliveryProgress struct {
	// Found counts the deliveries that matched.
	Found int `json:"found"`
	// Started counts those that are being sent again.
	Started int `json:"started"`
	// Skipped counts those that have gone on otherwise since they were found, and in a dry run all.
	Skipped int `json:"skipped"`
	// Failed counts those that could not be started.
	Failed int `json:"failed"`
	// Cursor is where the next page begins; Done is set when there is none.
	Cursor string `json:"cursor,omitempty"`
	Done   bool   `json:"done"`
}

// The pages of a Redelivery.
const (
	// pagesPerRun is after how many pages the job continues as new, so that its history stays
	// short.
	pagesPerRun   = 100
	pageTimeout   = 15 * time.Minute
	pageHeartbeat = 30 * time.Second
)

// Redelivery sends many deliveries again: it goes through what its filter finds, page by page, and
// starts a further run of each. It completes when all are started; how they fare is theirs to tell.
func Redelivery(ctx workflow.Context, input RedeliveryInput) (RedeliveryProgress, error) {
	pages := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: pageTimeout,
		HeartbeatTimeout:    pageHeartbeat,
		WaitForCancellation: true,
	})
	for range pagesPerRun {
		workflow.SetCurrentDetails(ctx, describeRedelivery(input, "**Redelivering.**"))
		err := workflow.ExecuteActivity(pages, RedeliverPageActivity, input).Get(ctx, &input.Progress)
		switch {
		case ctx.Err() != nil:
			if cancelled, ok := errors.AsType[*temporal.CanceledError](err); ok && cancelled.HasDetails() {
				_ = cancelled.Details(&input.Progress) // unreadable leaves that of the page before
			}
			workflow.SetCurrentDetails(ctx, describeRedelivery(input, "**Cancelled.** What was started goes on."))
			return input.Progress, temporal.NewCanceledError(input.Progress)
		case err != nil:
			return input.Progress, err
		case input.Progress.Done:
			workflow.SetCurrentDetails(ctx, describeRedelivery(input, allDone(input)))
			return input.Progress, nil
		}
	}
	return input.Progress, workflow.NewContinueAsNewError(ctx, Redelivery, input)
}

// RedeliverySummary is the summary line of a bulk job.
func RedeliverySummary(in RedeliveryInput) string {
	summary := "redelivery of " + in.Status
	if in.Type != "" {
		summary += " " + in.Type
	}
	if in.Destination != "" {
		summary += " → " + in.Destination
	}
	return shorten(summary)
}

func allDone(in RedeliveryInput) string {
	if in.DryRun {
		return "**All counted.**"
	}
	return "**All started.**"
}

func describeRedelivery(in RedeliveryInput, state string) string {
	p := in.Progress
	if in.DryRun {
		state += " This is a dry run: nothing is sent."
	}
	return state + "\n\n" + row("found", "started", "skipped", "failed") + "| --- | --- | --- | --- |\n" +
		row(strconv.Itoa(p.Found), strconv.Itoa(p.Started), strconv.Itoa(p.Skipped), strconv.Itoa(p.Failed))
}
