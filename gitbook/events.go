package gitbook

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The event types that GitBook documents for webhooks.
const (
	// EventSiteView is a visit to a page of a site. Its payload is SiteView.
	EventSiteView = "site_view"

	// EventPageFeedback is a visitor's rating of a page. Its payload is PageFeedback.
	EventPageFeedback = "page_feedback"

	// EventSpaceContentUpdated is a change of a space's primary content. Its payload is
	// SpaceContentUpdated.
	EventSpaceContentUpdated = "space_content_updated"
)

// The other event types. GitBook sends them to integrations; its own Webhook integration does not
// pass them on.
const (
	// EventInstallationSetup, EventSpaceInstallationSetup and EventSiteInstallationSetup say that the
	// integration was installed, or its installation changed, in an organization, a space or a site.
	// Their payload is InstallationSetup.
	EventInstallationSetup      = "installation_setup"
	EventSpaceInstallationSetup = "space_installation_setup"
	EventSiteInstallationSetup  = "site_installation_setup"

	// EventInstallationDeleted, EventSpaceInstallationDeleted and EventSiteInstallationDeleted say
	// that the integration was uninstalled. Their payload is InstallationDeleted.
	EventInstallationDeleted      = "installation_deleted"
	EventSpaceInstallationDeleted = "space_installation_deleted"
	EventSiteInstallationDeleted  = "site_installation_deleted"

	// EventSpaceGitSyncStarted and EventSpaceGitSyncCompleted are the ends of a synchronization with
	// Git. Their payload is SpaceGitSync.
	EventSpaceGitSyncStarted   = "space_gitsync_started"
	EventSpaceGitSyncCompleted = "space_gitsync_completed"

	// EventSpaceVisibilityUpdated is a change of who may read a space. Its payload is
	// SpaceVisibilityUpdated.
	EventSpaceVisibilityUpdated = "space_visibility_updated"

	// EventFetch is a request of an outside service to the integration's public address. Its payload
	// is Fetch; see FetchRequest.
	EventFetch = "fetch"
)

// The types that want more than an acknowledgement as the answer. They are sent to the integration
// alone and have no webhook.
const (
	// EventUIRender asks for the drawing of a component, such as the integration's settings. Its
	// payload is UIRender.
	EventUIRender = "ui_render"

	// EventTask runs a task that the integration has scheduled. Its payload is Task.
	EventTask = "task"

	// EventFetchPublishedScript asks for a script for the pages of a site. Its payload is
	// FetchPublishedScript.
	EventFetchPublishedScript = "fetch_published_script"

	// EventFetchVisitorAuthentication asks where a visitor of a site logs in or out. Its payload is
	// FetchVisitorAuthentication.
	EventFetchVisitorAuthentication = "fetch_visitor_authentication"

	// EventContentComputeDocument and EventContentComputeRevision ask for generated content. Their
	// payload is ContentCompute.
	EventContentComputeDocument = "content_compute_document"
	EventContentComputeRevision = "content_compute_revision"
)

// MaxEventIDLength is the greatest length of an event id, in bytes.
const MaxEventIDLength = 255

// DocumentedEvents returns the types that GitBook documents for webhooks, in a slice of the
// caller's own.
func DocumentedEvents() []string {
	return []string{EventSiteView, EventPageFeedback, EventSpaceContentUpdated}
}

// EventTypes returns every type of the schema Event in @gitbook/api 0.202.0, sorted, in a slice of
// the caller's own. GitBook adds types over time, so the list serves for suggestions and never for
// refusing an event.
func EventTypes() []string {
	return []string{
		EventContentComputeDocument,
		EventContentComputeRevision,
		EventFetch,
		EventFetchPublishedScript,
		EventFetchVisitorAuthentication,
		EventInstallationDeleted,
		EventInstallationSetup,
		EventPageFeedback,
		EventSiteInstallationDeleted,
		EventSiteInstallationSetup,
		EventSiteView,
		EventSpaceContentUpdated,
		EventSpaceGitSyncCompleted,
		EventSpaceGitSyncStarted,
		EventSpaceInstallationDeleted,
		EventSpaceInstallationSetup,
		EventSpaceVisibilityUpdated,
		EventTask,
		EventUIRender,
	}
}

// Event is a GitBook event of any type: the members that every reader needs, and the bytes it came
// in.
type Event struct {
	// ID is the member eventId: 1 to MaxEventIDLength visible ASCII characters or spaces.
	ID string

	// Type is the member type, never empty. It may be one that this package has never heard of.
	Type string

	// InstallationID, SpaceID and SiteID are the members installationId, spaceId and siteId; each
	// is empty when the event has none, or when it is not a string.
	InstallationID, SpaceID, SiteID string

	raw []byte
}

// ParseEvent reads one JSON object as an event. It asks for eventId and type alone and leaves
// everything else to Decode and Field. The event keeps data, which must not change afterwards.
//
// The error is a *FieldError for the field "event", "event.eventId" or "event.type".
func ParseEvent(data []byte) (Event, error) {
	if !isObject(data) {
		return Event{}, &FieldError{Field: "event", Err: errNotObject}
	}
	var id, eventType, installation, space, site []byte
	for name, value := range members(data) {
		switch string(name) {
		case "eventId":
			id = value
		case "type":
			eventType = value
		case "installationId":
			installation = value
		case "spaceId":
			space = value
		case "siteId":
			site = value
		}
	}
	event := Event{raw: data}
	event.ID, _ = decodeString(id)
	event.Type, _ = decodeString(eventType)
	event.InstallationID, _ = decodeString(installation)
	event.SpaceID, _ = decodeString(space)
	event.SiteID, _ = decodeString(site)

	if !validEventID(event.ID) {
		return Event{}, &FieldError{
			Field: "event.eventId",
			Err:   fmt.Errorf("must be 1 to %d visible ASCII characters or spaces", MaxEventIDLength),
		}
	}
	if event.Type == "" {
		return Event{}, &FieldError{Field: "event.type", Err: errors.New("must be a string that is not empty")}
	}
	return event, nil
}

// validEventID keeps out what could not travel in a header, or would break a line of a log.
func validEventID(id string) bool {
	if id == "" || len(id) > MaxEventIDLength {
		return false
	}
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return false
		}
	}
	return true
}

// Raw returns the event byte for byte as it came. The caller must not change it.
func (e Event) Raw() []byte { return e.raw }

// Decode reads the event into v, which points to the payload of its type, such as SiteView, or to a
// struct of the caller's own. Members that v does not have are passed over. The types of this
// package match keys in their exact case; for any other struct encoding/json decides, which takes a
// key in any case.
func (e Event) Decode(v any) error {
	if err := json.Unmarshal(e.raw, v); err != nil {
		return fmt.Errorf("event: %w", err)
	}
	return nil
}

// Field returns the value that the names of path lead to from object to object, in JSON exactly as
// it came: e.Field("visitor", "ip") may be `"203.0.113.7"`, with the quotation marks. It returns
// false when there is no such member. The caller must not change the bytes.
func (e Event) Field(path ...string) (json.RawMessage, bool) {
	return lookup(e.raw, path...)
}
