package workflows

import (
	"encoding/json"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/workflow"

	"github.com/gitbook-courier/courier/activities"
)

// Types of the events that Courier itself sends.
const (
	// UndeliveredEventType tells that a delivery was given up.
	UndeliveredEventType = "courier.delivery.undelivered"
	// HeldEventType tells that a destination is held, because it has been failing.
	HeldEventType = "courier.destination.held"
)

// UndeliveredNotice is the event of a delivery that was given up.
type UndeliveredNotice struct {
	EventID     string `json:"eventId"`
	Type        string `json:"type"`
	Destination string `json:"destination"`
	URL         string `json:"url"`
	// Delivery is the event that was not delivered, by its id and type.
	Delivery NoticeDelivery `json:"delivery"`
	RunID    string         `json:"runId"`
	// Failure says why, such as "Rejected: 404 Not Found".
	Failure      string    `json:"failure"`
	AttemptCount int       `json:"attemptCount"`
	AcceptedAt   time.Time `json:"acceptedAt"`
	ClosedAt     time.Time `json:"closedAt"`
}

// NoticeDelivery names the event of a delivery.
type NoticeDelivery struct {
	EventID string `json:"eventId"`
	Type    string `json:"type"`
}

// HeldNotice is the event of a destination that is held.
type HeldNotice struct {
	EventID     string    `json:"eventId"`
	Type        string    `json:"type"`
	Destination string    `json:"destination"`
	HeldSince   time.Time `json:"heldSince"`
}

// notify starts the delivery of a notice as a workflow of its own, which goes on when this one
// ends. It gives no notice of itself.
func notify(ctx workflow.Context, to DeliveryInput, eventID, eventType string, notice any) {
	to.EventID, to.EventType, to.Reason, to.AcceptedAt, to.Notify = eventID, eventType, ReasonNotice, workflow.Now(ctx).UTC(), nil
	body, err := json.Marshal(notice)
	if err != nil {
		workflow.GetLogger(ctx).Error("notice cannot be encoded", "error", err)
		return
	}
	ctx = workflow.WithChildOptions(ctx, workflow.ChildWorkflowOptions{
		WorkflowID:            DeliveryID(to.EventID, to.Destination),
		WorkflowTaskTimeout:   TaskTimeout(to),
		ParentClosePolicy:     enumspb.PARENT_CLOSE_POLICY_ABANDON,
		StaticSummary:         Summary(to.EventType, to.Destination),
		Memo:                  Memo(to, ""),
		TypedSearchAttributes: Attributes(to, "", "", ""),
		Priority:              Fairness(to.Destination),
	})
	started := workflow.ExecuteChildWorkflow(ctx, Delivery, to, activities.EventPayload(body)).GetChildWorkflowExecution()
	if err := started.Get(ctx, nil); err != nil {
		workflow.GetLogger(ctx).Error("notice cannot be sent", "error", err)
	}
}

// notifyUndelivered tells the destination that is to be told of a delivery that was given up, if
// there is one.
func notifyUndelivered(ctx workflow.Context, in DeliveryInput, result DeliveryResult) {
	if in.Notify == nil {
		return
	}
	id := "undelivered_" + workflow.GetInfo(ctx).WorkflowExecution.RunID
	notify(ctx, *in.Notify, id, UndeliveredEventType, UndeliveredNotice{
		EventID:      id,
		Type:         UndeliveredEventType,
		Destination:  in.Destination,
		URL:          in.URL,
		Delivery:     NoticeDelivery{EventID: in.EventID, Type: in.EventType},
		RunID:        workflow.GetInfo(ctx).WorkflowExecution.RunID,
		Failure:      result.Why(),
		AttemptCount: len(result.Attempts),
		AcceptedAt:   in.AcceptedAt,
		ClosedAt:     workflow.Now(ctx).UTC(),
	})
}

// notifyHeld tells the destination that is to be told that another is held.
func notifyHeld(ctx workflow.Context, in HoldInput) {
	if in.Notify == nil {
		return
	}
	id := "held_" + workflow.GetInfo(ctx).WorkflowExecution.RunID
	notify(ctx, *in.Notify, id, HeldEventType, HeldNotice{
		EventID: id, Type: HeldEventType, Destination: in.Destination, HeldSince: workflow.GetInfo(ctx).WorkflowStartTime.UTC(),
	})
}
