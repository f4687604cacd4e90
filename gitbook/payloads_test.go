package gitbook

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeTypedEvents(t *testing.T) {
	t.Parallel()
	visitor := `{"anonymousId":"anon_1","userAgent":"UA","ip":"203.0.113.7","cookies":{"a":"1","A":"2"},"language":"fr","new":1}`
	wantVisitor := Visitor{
		AnonymousID: "anon_1", UserAgent: "UA", IP: "203.0.113.7", Cookies: map[string]string{"a": "1", "A": "2"}, Language: "fr",
	}
	tests := []struct {
		name string
		give string
		into any
		want any
	}{
		{
			name: "site view",
			give: `{"eventId":"1","type":"site_view","installationId":"i","siteId":"s","spaceId":"p","siteSpaceId":"sp","pageId":"pg",` +
				`"visitor":` + visitor + `,"url":"https://docs.example.com/?a=1&b=<2>","referrer":"https://example.com/"}`,
			into: new(SiteView),
			want: &SiteView{
				EventID: "1", Type: "site_view", InstallationID: "i", SiteID: "s", SpaceID: "p", SiteSpaceID: "sp", PageID: "pg",
				Visitor: wantVisitor, URL: "https://docs.example.com/?a=1&b=<2>", Referrer: "https://example.com/",
			},
		},
		{
			name: "page feedback",
			give: `{"eventId":"1","type":"page_feedback","installationId":"i","siteId":"s","spaceId":"p","pageId":"pg",` +
				`"feedback":{"rating":"good","comment":"é 🚀"},"visitor":` + visitor + `,"url":"u","referrer":"r"}`,
			into: new(PageFeedback),
			want: &PageFeedback{
				EventID: "1", Type: "page_feedback", InstallationID: "i", SiteID: "s", SpaceID: "p", PageID: "pg",
				Feedback: Feedback{Rating: "good", Comment: "é 🚀"}, Visitor: wantVisitor, URL: "u", Referrer: "r",
			},
		},
		{
			name: "space content updated",
			give: `{"eventId":"1","type":"space_content_updated","installationId":"i","spaceId":"p","revisionId":"r","updatedBy":[` +
				`{"object":"user","id":"u","displayName":"Ada","email":"ada@example.com","photoURL":"p","urls":{"location":"l"}},` +
				`{"id":"v"}]}`,
			into: new(SpaceContentUpdated),
			want: &SpaceContentUpdated{
				EventID: "1", Type: "space_content_updated", InstallationID: "i", SpaceID: "p", RevisionID: "r",
				UpdatedBy: []User{
					{
						Object: "user", ID: "u", DisplayName: "Ada", Email: "ada@example.com", PhotoURL: "p",
						URLs: UserURLs{Location: "l"},
					},
					{ID: "v"},
				},
			},
		},
		{
			name: "keys in another case, repeated keys and nulls",
			give: `{"eventId":"1","type":"page_feedback","url":"right","URL":"wrong","referrer":"first","referrer":"last","pageId":null,` +
				`"feedback":{"rating":"bad","Rating":"wrong"},"visitor":{"ip":"right","IP":"wrong"},"Visitor":null}`,
			into: new(PageFeedback),
			want: &PageFeedback{
				EventID: "1", Type: "page_feedback", URL: "right", Referrer: "last",
				Feedback: Feedback{Rating: "bad"}, Visitor: Visitor{IP: "right"},
			},
		},
		{
			name: "null as an object",
			give: `{"eventId":"1","type":"site_view","visitor":null}`,
			into: new(SiteView),
			want: &SiteView{EventID: "1", Type: "site_view"},
		},
		{
			name: "a struct of the caller's own",
			give: `{"eventId":"1","type":"task","task":{"type":"sync"}}`,
			into: new(struct{ Task struct{ Type string } }),
			want: &struct{ Task struct{ Type string } }{Task: struct{ Type string }{Type: "sync"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			event, err := ParseEvent([]byte(tt.give))
			require.NoError(t, err)
			require.NoError(t, event.Decode(tt.into))
			require.Equal(t, tt.want, tt.into)
		})
	}
}

func TestDecodeErrorsNameTheField(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give string
		want string
	}{
		{
			give: `{"eventId":"1","type":"site_view","visitor":{"ip":5}}`,
			want: "event: visitor: ip: json: cannot unmarshal number into Go value of type string",
		},
		{
			give: `{"eventId":"1","type":"site_view","visitor":"me"}`,
			want: "event: visitor: is not one JSON object",
		},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			event, err := ParseEvent([]byte(tt.give))
			require.NoError(t, err)
			require.EqualError(t, event.Decode(new(SiteView)), tt.want)
		})
	}
}

// payloads are the payloads of all types.
func payloads() map[string]any {
	return map[string]any{
		EventSiteView:                   new(SiteView),
		EventPageFeedback:               new(PageFeedback),
		EventSpaceContentUpdated:        new(SpaceContentUpdated),
		EventInstallationSetup:          new(InstallationSetup),
		EventSpaceInstallationSetup:     new(InstallationSetup),
		EventSiteInstallationSetup:      new(InstallationSetup),
		EventInstallationDeleted:        new(InstallationDeleted),
		EventSpaceInstallationDeleted:   new(InstallationDeleted),
		EventSiteInstallationDeleted:    new(InstallationDeleted),
		EventSpaceGitSyncStarted:        new(SpaceGitSync),
		EventSpaceGitSyncCompleted:      new(SpaceGitSync),
		EventSpaceVisibilityUpdated:     new(SpaceVisibilityUpdated),
		EventFetch:                      new(Fetch),
		EventTask:                       new(Task),
		EventFetchPublishedScript:       new(FetchPublishedScript),
		EventFetchVisitorAuthentication: new(FetchVisitorAuthentication),
		EventUIRender:                   new(UIRender),
		EventContentComputeDocument:     new(ContentCompute),
		EventContentComputeRevision:     new(ContentCompute),
	}
}

// A payload has every member of its event, and takes events that lack them all.
func TestPayloadsAreWhole(t *testing.T) {
	t.Parallel()
	for eventType, payload := range payloads() {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()
			bare, err := ParseEvent([]byte(`{"eventId":"1","type":"` + eventType + `","new":{}}`))
			require.NoError(t, err)
			require.NoError(t, bare.Decode(payload))

			sample := Sample(eventType, "evt_1")
			event, err := ParseEvent(sample)
			require.NoError(t, err)
			require.NoError(t, event.Decode(payload))
			if fetch, ok := payload.(*Fetch); ok {
				require.Equal(t, "post", fetch.Request.Method)
				require.Equal(t, "application/json", fetch.Request.Header.Get("Content-Type"))
				return // a request is not encoded
			}
			encoded, err := json.Marshal(payload)
			require.NoError(t, err)
			require.JSONEq(t, string(sample), string(encoded))
		})
	}
	require.Len(t, payloads(), len(EventTypes()))
}

// Ensure that what a sample event is built from can be read back.
func TestTypedEventsEncode(t *testing.T) {
	t.Parallel()
	want := SiteView{EventID: "1", Type: EventSiteView, SiteID: "s", Visitor: Visitor{Cookies: map[string]string{"a": "b"}}}
	data, err := json.Marshal(want)
	require.NoError(t, err)
	event, err := ParseEvent(data)
	require.NoError(t, err)
	var got SiteView
	require.NoError(t, event.Decode(&got))
	require.Equal(t, want, got)
}
