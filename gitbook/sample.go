package gitbook

import (
	"encoding/json"
	"slices"
)

// Sample returns an event of the type with the id. Those of EventTypes are valid by the schema Event
// of @gitbook/api, and have every member that GitBook documents for webhooks; an event of another
// type has the ids that most events have. It is for trying a receiver out. ParseEvent takes it when
// the type and the id are valid.
func Sample(eventType, id string) []byte {
	rest, known := sampleMembers[eventType]
	if !known {
		rest = `"installationId":"inst_def456","spaceId":"space_xyz789","siteId":"site_abc123"`
	}
	return slices.Concat([]byte(`{"eventId":`), quote(id), []byte(`,"type":`), quote(eventType), []byte(","+rest+"}"))
}

// quote is a text as JSON.
func quote(text string) []byte {
	quoted, _ := json.Marshal(text) // cannot fail
	return quoted
}

// Members that many samples have.
const (
	ofInstallation = `"installationId":"inst_def456",`
	ofSpace        = ofInstallation + `"spaceId":"space_xyz789",`
	ofSite         = ofInstallation + `"siteId":"site_abc123",`
	byVisitor      = `"visitor":{"anonymousId":"anon_1","cookies":{},"userAgent":"Mozilla/5.0","ip":"203.0.113.7","language":"en"},`
	ofSync         = `"revisionId":"rev_abc123def456","commitId":"4b825dc642cb6eb9a060e54bf8d69288fbee4904"`
	wasActive      = `"previous":{"status":"active","configuration":{}}`
	wasConfigured  = `"previous":{"configuration":{}}`
	ofSource       = `"sourceId":"changelog","props":{"repository":"example/docs"},"dependencies":{}`
)

// sampleMembers are the members of each type after eventId and type.
var sampleMembers = map[string]string{
	EventSiteView: ofSite + `"siteSpaceId":"sitesp_1","pageId":"page_1",` + byVisitor +
		`"url":"https://docs.example.com/start?a=1&b=2","referrer":"https://example.com/"`,
	EventPageFeedback: ofSite + `"pageId":"page_1","feedback":{"rating":"good","comment":"Clear, thank you"},` + byVisitor +
		`"url":"https://docs.example.com/start","referrer":"https://example.com/"`,
	EventSpaceContentUpdated: ofSpace + `"revisionId":"rev_abc123def456","updatedBy":[{"object":"user","id":"user_1",` +
		`"displayName":"Ada Example","urls":{"location":"https://api.gitbook.com/v1/users/user_1"}}]`,

	EventInstallationSetup:        ofInstallation + `"status":"active",` + wasActive,
	EventSpaceInstallationSetup:   ofSpace + `"status":"active",` + wasActive,
	EventSiteInstallationSetup:    ofSite + `"status":"active",` + wasActive,
	EventInstallationDeleted:      ofInstallation + wasConfigured,
	EventSpaceInstallationDeleted: ofSpace + wasConfigured,
	EventSiteInstallationDeleted:  ofSite + wasConfigured,

	EventSpaceGitSyncStarted:    ofSpace + ofSync,
	EventSpaceGitSyncCompleted:  ofSpace + `"state":"success",` + ofSync,
	EventSpaceVisibilityUpdated: ofSpace + `"previousVisibility":"private","visibility":"public"`,

	EventFetch: ofInstallation + `"request":{"method":"post","url":"https://integrations.example.com/hook",` +
		`"headers":{"content-type":"application/json"}}`,
	EventTask:                       `"task":{"type":"sync"}`,
	EventFetchPublishedScript:       ofInstallation + `"siteId":"site_abc123"`,
	EventFetchVisitorAuthentication: ofSite + `"location":"/start"`,
	EventUIRender: ofInstallation + `"componentId":"config","props":{},` +
		`"context":{"theme":"light","type":"configuration_account","organizationId":"org_1"}`,
	EventContentComputeDocument: ofSpace + ofSource,
	EventContentComputeRevision: ofSpace + ofSource,
}
