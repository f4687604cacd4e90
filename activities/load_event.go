package activities

import (
	"context"
	"encoding/json"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
)

// LoadEventType is the type of the local activity LoadEvent.
const LoadEventType = "LoadEvent"

// LoadEvent reads the event that the delivery's run began with, for the run that continues it.
func (a *Activities) LoadEvent(ctx context.Context) (converter.RawValue, error) {
	run := activity.GetInfo(ctx).WorkflowExecution
	event, err := a.Runs.Event(ctx, run.ID, run.RunID)
	if !json.Valid(event) { // the body of a fetch event
		return BodyPayload(event), err
	}
	return EventPayload(event), err
}
