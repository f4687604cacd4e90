package workflows

import (
	"strings"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"

	"github.com/gitbook-courier/courier/activities"
)

// TaskQueue is the task queue of all of Courier's workflows and activities.
const TaskQueue = "gitbook-webhooks"

// DeliveryType is the workflow type of Delivery: the function's name.
const DeliveryType = "Delivery"

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
)

// SearchAttributes are the keys that must be registered in the namespace.
func SearchAttributes() []temporal.SearchAttributeKeyKeyword {
	return []temporal.SearchAttributeKeyKeyword{Destination, EventType, Installation, Space, Site}
}

// DeliveryID is the workflow id of the delivery of an event to a destination.
// The event's id comes first, so that it finds all its deliveries as a prefix.
func DeliveryID(eventID, destination string) string {
	return eventID + "@" + destination
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

// InstallationDestination is the name of the destination that an installation
// itself is.
func InstallationDestination(installationID string) string {
	return activities.InstallationPrefix + installationID
}

// Register registers the workflows under the names of their functions.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflow(Delivery)
}
