package gitbook

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
