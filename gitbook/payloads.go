package gitbook

import "encoding/json"

// SiteView is the payload of EventSiteView. Fields that the event does not have are empty.
type SiteView struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SiteID         string `json:"siteId"`

	// SpaceID is the visited space of the site. GitBook calls it deprecated, in favour of
	// SiteSpaceID.
	SpaceID     string `json:"spaceId,omitempty"`
	SiteSpaceID string `json:"siteSpaceId,omitempty"`
	PageID      string `json:"pageId,omitempty"`

	Visitor Visitor `json:"visitor"`

	// URL is the address that was visited, with its query, and Referrer the one that led there.
	URL      string `json:"url"`
	Referrer string `json:"referrer"`
}

// PageFeedback is the payload of EventPageFeedback. Fields that the event does not have are empty.
type PageFeedback struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SiteID         string `json:"siteId"`

	// SpaceID is the space of the page. GitBook calls it deprecated.
	SpaceID string `json:"spaceId,omitempty"`
	PageID  string `json:"pageId,omitempty"`

	Feedback Feedback `json:"feedback"`
	Visitor  Visitor  `json:"visitor"`

	// URL is the address where the feedback was given, with its query, and Referrer the one that
	// led there.
	URL      string `json:"url"`
	Referrer string `json:"referrer"`
}

// SpaceContentUpdated is the payload of EventSpaceContentUpdated. Fields that the event does not
// have are empty.
type SpaceContentUpdated struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SpaceID        string `json:"spaceId"`

	// RevisionID is the revision that the content now has.
	RevisionID string `json:"revisionId"`

	// UpdatedBy are the people who changed the content.
	UpdatedBy []User `json:"updatedBy,omitempty"`
}

// InstallationSetup is the payload of EventInstallationSetup, EventSpaceInstallationSetup and
// EventSiteInstallationSetup. Fields that the event does not have are empty.
type InstallationSetup struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	// SpaceID or SiteID says where the integration is installed; both are empty for the organization.
	SpaceID string `json:"spaceId,omitempty"`
	SiteID  string `json:"siteId,omitempty"`

	// Status is "active", "pending" or "paused".
	Status string `json:"status"`

	// Previous is the installation before the change; nil when it is new.
	Previous *PreviousInstallation `json:"previous,omitempty"`
}

// InstallationDeleted is the payload of EventInstallationDeleted, EventSpaceInstallationDeleted and
// EventSiteInstallationDeleted. Fields that the event does not have are empty.
type InstallationDeleted struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	// SpaceID or SiteID says where the integration was installed; both are empty for the
	// organization.
	SpaceID string `json:"spaceId,omitempty"`
	SiteID  string `json:"siteId,omitempty"`

	// Previous is the installation before it was deleted. It has no Status.
	Previous PreviousInstallation `json:"previous"`
}

// PreviousInstallation is an installation as it was before the event.
type PreviousInstallation struct {
	// Status is "active", "pending" or "paused".
	Status string `json:"status,omitempty"`
	// Configuration is a JSON object of the integration's own, which may hold secrets.
	Configuration json.RawMessage `json:"configuration,omitempty"`
}

// SpaceGitSync is the payload of EventSpaceGitSyncStarted and EventSpaceGitSyncCompleted. Fields
// that the event does not have are empty.
type SpaceGitSync struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SpaceID        string `json:"spaceId"`

	// State is "success" or "failure", and empty for a start.
	State string `json:"state,omitempty"`
	// RevisionID is the revision of the content, and CommitID the hash of the commit.
	RevisionID string `json:"revisionId"`
	CommitID   string `json:"commitId"`
}

// SpaceVisibilityUpdated is the payload of EventSpaceVisibilityUpdated. Fields that the event does
// not have are empty.
type SpaceVisibilityUpdated struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SpaceID        string `json:"spaceId"`

	// Visibility and PreviousVisibility are "public", "unlisted", "share-link", "visitor-auth",
	// "in-collection" or "private".
	Visibility         string `json:"visibility"`
	PreviousVisibility string `json:"previousVisibility"`
}

// Task is the payload of EventTask.
type Task struct {
	EventID string `json:"eventId"`
	Type    string `json:"type"`

	// Task is a JSON object of the integration's own.
	Task json.RawMessage `json:"task"`
}

// Fetch is the payload of EventFetch. Fields that the event does not have are empty.
type Fetch struct {
	EventID string `json:"eventId"`
	Type    string `json:"type"`
	// InstallationID, SpaceID and SiteID are set when the called address is of one alone.
	InstallationID string `json:"installationId,omitempty"`
	SpaceID        string `json:"spaceId,omitempty"`
	SiteID         string `json:"siteId,omitempty"`

	// Auth is the user of GitBook who called; nil for anyone else.
	Auth *Auth `json:"auth,omitempty"`
	// Request is the call.
	Request FetchRequest `json:"request"`
}

// Auth says who acted.
type Auth struct {
	// UserID is a User's ID.
	UserID string `json:"userId"`
}

// FetchPublishedScript is the payload of EventFetchPublishedScript.
type FetchPublishedScript struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SiteID         string `json:"siteId"`
}

// FetchVisitorAuthentication is the payload of EventFetchVisitorAuthentication. Fields that the
// event does not have are empty.
type FetchVisitorAuthentication struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SiteID         string `json:"siteId"`

	// Location is the page to which the visitor wants to go.
	Location string `json:"location,omitempty"`
	// SearchParams and Cookies are those of the visitor's request that GitBook passes on. They may
	// hold credentials.
	SearchParams map[string]string `json:"searchParams,omitempty"`
	Cookies      map[string]string `json:"cookies,omitempty"`
	// Action is "logout", or empty for a login.
	Action string `json:"action,omitempty"`
}

// UIRender is the payload of EventUIRender. Fields that the event does not have are empty.
type UIRender struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SpaceID        string `json:"spaceId,omitempty"`
	SiteID         string `json:"siteId,omitempty"`

	// Auth is the user who looks; nil when GitBook does not say.
	Auth *Auth `json:"auth,omitempty"`
	// ComponentID names the component to draw.
	ComponentID string `json:"componentId"`
	// Props, State, Context and Action are JSON objects.
	Props   json.RawMessage `json:"props"`
	State   json.RawMessage `json:"state,omitempty"`
	Context json.RawMessage `json:"context"`
	Action  json.RawMessage `json:"action,omitempty"`
}

// ContentCompute is the payload of EventContentComputeDocument and EventContentComputeRevision.
type ContentCompute struct {
	EventID        string `json:"eventId"`
	Type           string `json:"type"`
	InstallationID string `json:"installationId"`
	SpaceID        string `json:"spaceId"`

	// SourceID names the content source.
	SourceID string `json:"sourceId"`
	// Props is a JSON object of the integration's own.
	Props json.RawMessage `json:"props"`
	// Dependencies are the resolved dependencies of the computation, by name.
	Dependencies map[string]json.RawMessage `json:"dependencies"`
}

// Visitor is what GitBook tells about the visitor of a site. Cookies, UserAgent, IP and Language
// are personal data.
type Visitor struct {
	// AnonymousID is GitBook's own identifier of the visitor.
	AnonymousID string            `json:"anonymousId"`
	Cookies     map[string]string `json:"cookies"`
	UserAgent   string            `json:"userAgent"`
	IP          string            `json:"ip"`
	Language    string            `json:"language,omitempty"`
}

// Feedback is a visitor's opinion of a page.
type Feedback struct {
	// Rating is "bad", "ok" or "good".
	Rating string `json:"rating"`

	// Comment is empty, or has up to 512 characters.
	Comment string `json:"comment,omitempty"`
}

// User is a user of GitBook.
type User struct {
	// Object is always "user".
	Object      string   `json:"object"`
	ID          string   `json:"id"`
	DisplayName string   `json:"displayName"`
	Email       string   `json:"email,omitempty"`
	PhotoURL    string   `json:"photoURL,omitempty"`
	URLs        UserURLs `json:"urls"`
}

// UserURLs are the addresses of a User.
type UserURLs struct {
	// Location is the user's address in GitBook's API.
	Location string `json:"location"`
}

// UnmarshalJSON matches keys in their exact case.
func (v *SiteView) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *PageFeedback) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *SpaceContentUpdated) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *Visitor) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *Feedback) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *User) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *UserURLs) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *InstallationSetup) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *InstallationDeleted) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *PreviousInstallation) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *SpaceGitSync) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *SpaceVisibilityUpdated) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *Task) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *Fetch) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *Auth) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *FetchPublishedScript) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *FetchVisitorAuthentication) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *UIRender) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }

// UnmarshalJSON matches keys in their exact case.
func (v *ContentCompute) UnmarshalJSON(data []byte) error { return decodeFields(data, v) }
