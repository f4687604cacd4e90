package gitbook

import (
	"bytes"
	"encoding/json"
)

// Sample returns an event of the type with the id, as GitBook documents it; an event of another
// type has the ids that most events have. It is for trying a receiver out. ParseEvent takes it when
// the type and the id are valid.
func Sample(eventType, id string) []byte {
	base := map[string]any{
		"eventId": id, "type": eventType, "installationId": "inst_def456", "spaceId": "space_xyz789", "siteId": "site_abc123",
	}
	visitor := map[string]any{
		"anonymousId": "anon_1", "userAgent": "Mozilla/5.0", "ip": "203.0.113.7", "cookies": map[string]string{},
	}
	switch eventType {
	case EventSpaceContentUpdated:
		delete(base, "siteId")
		base["revisionId"] = "rev_abc123def456"
	case EventSiteView:
		delete(base, "spaceId")
		base["visitor"], base["url"], base["referrer"] = visitor, "https://docs.example.com/start?a=1&b=2", "https://example.com/"
	case EventPageFeedback:
		base["pageId"], base["feedback"] = "page_1", map[string]string{"rating": "good", "comment": "Clear, thank you"}
		base["visitor"], base["url"], base["referrer"] = visitor, "https://docs.example.com/start", "https://example.com/"
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false) // as GitBook's own encoder writes it
	_ = encoder.Encode(base)     // cannot fail: texts and maps of them
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
