package workflows

import (
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/gitbook-courier/courier/activities"
)

// TaskQueue is the task queue of all of Courier's workflows and activities.
const TaskQueue = "gitbook-webhooks"

// Workflow types: the functions' names.
const (
	DeliveryType   = "Delivery"
	RedeliveryType = "Redelivery"
	HoldType       = "Hold"
)

// Search attributes of a delivery, all of type Keyword.
var (
	// Destination is the destination's name.
	Destination = temporal.NewSearchAttributeKeyKeyword("WebhookDestination")
	// EventType is the event's type.
	EventType = temporal.NewSearchAttributeKeyKeyword("GitBookEventType")
	// Installation is the id of the integration's installation.
	Installation = temporal.NewSearchAttributeKeyKeyword("GitBookInstallation")
	// Space is the id of the space, when the event has one.
	Space = temporal.NewSearchAttributeKeyKeyword("GitBookSpace")
	// Site is the id of the site, when the event has one.
	Site = temporal.NewSearchAttributeKeyKeyword("GitBookSite")
	// Job is the id of the bulk redelivery that started the run, if one did.
	Job = temporal.NewSearchAttributeKeyKeyword("WebhookRedelivery")
)

// SearchAttributes are the keys that must be registered in the namespace.
func SearchAttributes() []temporal.SearchAttributeKeyKeyword {
	return []temporal.SearchAttributeKeyKeyword{Destination, EventType, Installation, Space, Site, Job}
}

// DeliveryID is the workflow id of the delivery of an event to a destination.
// The event's id comes first, so that it finds all its deliveries as a prefix.
func DeliveryID(eventID, destination string) string {
	return eventID + "@" + destination
}

// maxFairnessKey is the longest fairness key that Temporal takes, in bytes.
const maxFairnessKey = 64

// Fairness is the priority of everything that belongs to a destination: when
// tasks queue up, Temporal serves the destinations in turn.
func Fairness(destination string) temporal.Priority {
	// Of an installation's id, which can be longer, the end is what differs.
	return temporal.Priority{FairnessKey: destination[max(0, len(destination)-maxFairnessKey):]}
}

// ParseDeliveryID takes a delivery's workflow id apart. An event id may
// contain an "@", a destination's name may not.
func ParseDeliveryID(id string) (eventID, destination string, ok bool) {
	at := strings.LastIndexByte(id, '@')
	if at < 1 || at == len(id)-1 {
		return "", "", false
	}
	return id[:at], id[at+1:], true
}

// holdPrefix begins the workflow id of a Hold. No delivery's id looks like it,
// because it has no "@".
const holdPrefix = "hold."

// HoldID is the workflow id of the hold of a destination.
func HoldID(destination string) string {
	return holdPrefix + destination
}

// redeliveryPrefix begins the workflow id of a Redelivery.
const redeliveryPrefix = "redelivery."

// RedeliveryID is the workflow id of the bulk job with that id.
func RedeliveryID(id string) string {
	return redeliveryPrefix + id
}

// InstallationDestination is the name of the destination that an installation
// itself is.
func InstallationDestination(installationID string) string {
	return activities.InstallationPrefix + installationID
}

// Register registers the workflows under the names of their functions.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflow(Delivery)
	registry.RegisterWorkflow(Redelivery)
	registry.RegisterWorkflow(Hold)
}
