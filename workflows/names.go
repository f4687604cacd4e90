package workflows

import (
	"crypto/sha256"
	"encoding/hex"
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
	// State is what a running delivery waits for: one of the State constants. It is absent until
	// something goes wrong, and when the delivery is over.
	State = temporal.NewSearchAttributeKeyKeyword("WebhookState")
)

// Values of the search attribute State.
const (
	// StateRetrying has failed, and is attempted again.
	StateRetrying = "retrying"
	// StateHeld waits until the hold of its destination ends.
	StateHeld = "held"
	// StateUnknown waits until a worker knows its destination.
	StateUnknown = "unknown"
)

// SearchAttributes are the keys that must be registered in the namespace.
func SearchAttributes() []temporal.SearchAttributeKeyKeyword {
	return []temporal.SearchAttributeKeyKeyword{Destination, EventType, Installation, Space, Site, Job, State}
}

// maxDeliveryID is the longest workflow id that every database of Temporal takes, in characters.
const maxDeliveryID = 255

// DeliveryID is the workflow id of the delivery of an event to a destination. The event's id comes
// first, so that it finds all its deliveries as a prefix.
//
// Where the two are too long together, a hash takes the place of the end of the event's id, and the
// memo MemoEventID has it in full. An id that looks as if it had such a hash gets one too, so that
// no two events share a workflow id.
func DeliveryID(eventID, destination string) string {
	id := eventID + "@" + destination
	if len(id) <= maxDeliveryID && !looksHashed(eventID) {
		return id
	}
	sum := sha256.Sum256([]byte(eventID))
	end := hashMark + hex.EncodeToString(sum[:]) + "@" + destination
	return eventID[:min(len(eventID), maxDeliveryID-len(end))] + end
}

// HasHashedID is whether the workflow id of the event's delivery to that destination holds a hash,
// so that the memo must hold the event's id.
func HasHashedID(eventID, destination string) bool {
	return DeliveryID(eventID, destination) != eventID+"@"+destination
}

// hashMark stands before the hash in a workflow id.
const hashMark = "~"

func looksHashed(eventID string) bool {
	at := len(eventID) - len(hashMark) - 2*sha256.Size
	if at < 0 || eventID[at:at+len(hashMark)] != hashMark {
		return false
	}
	_, err := hex.DecodeString(eventID[at+len(hashMark):])
	return err == nil
}

// maxFairnessKey is the longest fairness key that Temporal takes, in bytes.
const maxFairnessKey = 64

// Fairness is the priority of everything that belongs to a destination: when tasks queue up,
// Temporal serves the destinations in turn.
func Fairness(destination string) temporal.Priority {
	// Of an installation's id, which can be longer, the end is what differs.
	return temporal.Priority{FairnessKey: destination[max(0, len(destination)-maxFairnessKey):]}
}

// ParseDeliveryID takes a delivery's workflow id apart. An event id may contain an "@", a
// destination's name may not. Of an id with a hash, eventID is not the event's; the memo
// MemoEventID is.
func ParseDeliveryID(id string) (eventID, destination string, ok bool) {
	at := strings.LastIndexByte(id, '@')
	if at < 1 || at == len(id)-1 {
		return "", "", false
	}
	return id[:at], id[at+1:], true
}

// holdPrefix begins the workflow id of a Hold. No delivery's id looks like it, because it has no
// "@".
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

// InstallationDestination is the name of the destination that an installation itself is.
func InstallationDestination(installationID string) string {
	return activities.InstallationPrefix + installationID
}

// Register registers the workflows under the names of their functions.
func Register(registry worker.WorkflowRegistry) {
	registry.RegisterWorkflow(Delivery)
	registry.RegisterWorkflow(Redelivery)
	registry.RegisterWorkflow(Hold)
	registry.RegisterWorkflow(SecretOverlap)
}
