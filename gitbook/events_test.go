package gitbook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const documentedEvent = `{"eventId":"evt_2345678901bcdefg","type":"space_content_updated","spaceId":"space_xyz789",` +
	`"installationId":"inst_def456","revisionId":"rev_abc123def456"}`

// awkward has what an encoder would change: escapes for HTML, a line separator, an emoji, odd
// spacing, a number beyond the precision of a float, a repeated key and an escaped one.
const awkward = " {\t\"eventId\" : \"evt & <1> \\u0065\" ,\r\n \"type\":\"page_feedback\", \"note\": \"& < > é \u2028 \\u2028 🚀\"," +
	" \"n\": 12345678901234567890123.4500, \"n\": 1e400 , \"\\u0073iteId\":\"site_1\" , \"list\": [ ] } \n"

// samples returns an event of every type of the schema.
func samples() map[string][]byte {
	events := make(map[string][]byte)
	for _, eventType := range EventTypes() {
		events[eventType] = Sample(eventType, "evt_"+eventType)
	}
	return events
}

func TestParseEventTakesEveryType(t *testing.T) {
	t.Parallel()
	require.Len(t, samples(), 19)
	for eventType, sample := range samples() {
		event, err := ParseEvent(sample)
		require.NoError(t, err, eventType)
		require.Equal(t, eventType, event.Type)
		require.Equal(t, "evt_"+eventType, event.ID)
		require.Equal(t, string(sample), string(event.Raw()))
	}
}

func TestEventTypeListsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	DocumentedEvents()[0] = "changed"
	EventTypes()[0] = "changed"
	require.Equal(t, []string{"site_view", "page_feedback", "space_content_updated"}, DocumentedEvents())
	require.Equal(t, "content_compute_document", EventTypes()[0])
	require.Subset(t, EventTypes(), DocumentedEvents())
}

func TestParseEvent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give string
		want Event
	}{
		{
			name: "the documented payload",
			give: documentedEvent,
			want: Event{
				ID: "evt_2345678901bcdefg", Type: "space_content_updated",
				InstallationID: "inst_def456", SpaceID: "space_xyz789",
			},
		},
		{
			name: "awkward bytes",
			give: awkward,
			want: Event{ID: "evt & <1> e", Type: "page_feedback", SiteID: "site_1"},
		},
		{
			name: "a type nobody knows",
			give: `{"eventId":"1","type":"something_new"}`,
			want: Event{ID: "1", Type: "something_new"},
		},
		{
			name: "keys in another case are other keys",
			give: `{"eventId":"right","type":"a","EventId":"wrong","TYPE":"b","Type":"c","SiteID":"s","spaceID":"s"}`,
			want: Event{ID: "right", Type: "a"},
		},
		{
			name: "a letter that Unicode folds to k or s is not that letter",
			give: "{\"eventId\":\"1\",\"type\":\"a\",\"\u017fpaceId\":\"wrong\"}",
			want: Event{ID: "1", Type: "a"},
		},
		{
			name: "the last of two members counts",
			give: `{"eventId":"first","type":"a","eventId":"last","spaceId":"x","spaceId":null}`,
			want: Event{ID: "last", Type: "a"},
		},
		{
			name: "an escaped key is the key",
			give: `{"\u0065ventId":"1","t\u0079pe":"a"}`,
			want: Event{ID: "1", Type: "a"},
		},
		{
			name: "members of inner objects are not the event's",
			give: `{"a":{"eventId":"inner","type":"inner"},"eventId":"1","b":[{"type":"x"}],"type":"a"}`,
			want: Event{ID: "1", Type: "a"},
		},
		{
			name: "brackets and quotes inside strings",
			give: `{"a":"}]\"{[","b":["]","\\"],"eventId":"1","type":"a"}`,
			want: Event{ID: "1", Type: "a"},
		},
		{
			name: "ids of the wrong kind count as absent",
			give: `{"eventId":"1","type":"a","installationId":5,"spaceId":{"id":"s"},"siteId":null}`,
			want: Event{ID: "1", Type: "a"},
		},
		{
			name: "bytes that are not UTF-8 become replacement characters in the type",
			give: "{\"eventId\":\"1\",\"type\":\"a\xff\"}",
			want: Event{ID: "1", Type: "a\ufffd"},
		},
		{
			name: "the longest id, and every character that an id may have",
			give: `{"eventId":"` + strings.Repeat("x", 253) + ` ~","type":"a"}`,
			want: Event{ID: strings.Repeat("x", 253) + " ~", Type: "a"},
		},
		{
			name: "deep nesting",
			give: `{"eventId":"1","a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `,"type":"a"}`,
			want: Event{ID: "1", Type: "a"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			event, err := ParseEvent([]byte(tt.give))
			require.NoError(t, err)
			require.Equal(t, tt.give, string(event.Raw()))
			event.raw = nil
			require.Equal(t, tt.want, event)
		})
	}
}

func TestParseEventErrors(t *testing.T) {
	t.Parallel()
	const (
		notObject = "event: is not one JSON object"
		badID     = "event.eventId: must be 1 to 255 visible ASCII characters or spaces"
		badType   = "event.type: must be a string that is not empty"
	)
	tests := []struct {
		name string
		give string
		want string
	}{
		{name: "nothing", give: "", want: notObject},
		{name: "blanks", give: " \n", want: notObject},
		{name: "null", give: "null", want: notObject},
		{name: "array", give: `[{"eventId":"1","type":"a"}]`, want: notObject},
		{name: "string", give: `"{}"`, want: notObject},
		{name: "two objects", give: `{"eventId":"1","type":"a"}{}`, want: notObject},
		{name: "trailing comma", give: `{"eventId":"1","type":"a",}`, want: notObject},
		{name: "byte order mark", give: "\ufeff" + `{"eventId":"1","type":"a"}`, want: notObject},
		{name: "no-break space", give: "\u00a0" + `{"eventId":"1","type":"a"}`, want: notObject},
		{name: "line break in a string", give: "{\"eventId\":\"1\n\",\"type\":\"a\"}", want: notObject},
		{name: "single quotes", give: `{'eventId':'1','type':'a'}`, want: notObject},
		{
			name: "nesting beyond the bound",
			give: `{"eventId":"1","type":"a","b":` + strings.Repeat("[", 20000) + strings.Repeat("]", 20000) + `}`,
			want: notObject,
		},
		{name: "no id", give: `{"type":"a"}`, want: badID},
		{name: "id in another case", give: `{"EventId":"1","eventID":"1","type":"a"}`, want: badID},
		{name: "empty id", give: `{"eventId":"","type":"a"}`, want: badID},
		{name: "number as id", give: `{"eventId":1,"type":"a"}`, want: badID},
		{name: "null replaces the id", give: `{"eventId":"1","eventId":null,"type":"a"}`, want: badID},
		{name: "too long an id", give: `{"eventId":"` + strings.Repeat("x", 256) + `","type":"a"}`, want: badID},
		{name: "line break in the id", give: `{"eventId":"a\nb","type":"a"}`, want: badID},
		{name: "delete in the id", give: "{\"eventId\":\"a\x7f\",\"type\":\"a\"}", want: badID},
		{name: "letter beyond ASCII in the id", give: `{"eventId":"é","type":"a"}`, want: badID},
		{name: "no type", give: `{"eventId":"1"}`, want: badType},
		{name: "type in another case", give: `{"eventId":"1","Type":"a"}`, want: badType},
		{name: "empty type", give: `{"eventId":"1","type":""}`, want: badType},
		{name: "list as type", give: `{"eventId":"1","type":["a"]}`, want: badType},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			event, err := ParseEvent([]byte(tt.give))
			require.EqualError(t, err, tt.want)
			var field *FieldError
			require.ErrorAs(t, err, &field)
			require.Equal(t, Event{}, event)
		})
	}
}

func TestParseEventRefusesEveryTruncation(t *testing.T) {
	t.Parallel()
	for n := range len(documentedEvent) {
		_, err := ParseEvent([]byte(documentedEvent[:n]))
		require.EqualError(t, err, "event: is not one JSON object", n)
	}
}

func TestEventField(t *testing.T) {
	t.Parallel()
	event, err := ParseEvent([]byte(`{"eventId":"1","type":"a","visitor":{"ip":"203.0.113.7","n": 1.50 ,"ip":"198.51.100.1"},` +
		`"list":[1, 2],"none":null,"":{"":"empty"}}`))
	require.NoError(t, err)
	tests := []struct {
		give   []string
		want   string
		wantOK bool
	}{
		{give: []string{"visitor", "ip"}, want: `"198.51.100.1"`, wantOK: true},
		{give: []string{"visitor", "n"}, want: `1.50`, wantOK: true},
		{give: []string{"list"}, want: `[1, 2]`, wantOK: true},
		{give: []string{"none"}, want: `null`, wantOK: true},
		{give: []string{"", ""}, want: `"empty"`, wantOK: true},
		{give: nil, want: string(event.Raw()), wantOK: true},
		{give: []string{"Visitor", "ip"}},
		{give: []string{"visitor", "IP"}},
		{give: []string{"visitor", "ip", "x"}},
		{give: []string{"list", "0"}},
		{give: []string{"none", "x"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%q", tt.give), func(t *testing.T) {
			t.Parallel()
			value, ok := event.Field(tt.give...)
			require.Equal(t, tt.wantOK, ok)
			require.Equal(t, tt.want, string(value))
		})
	}

	_, ok := Event{}.Field("type")
	require.False(t, ok)
}

// Ensure that appending to a value does not write into the event.
func TestEventFieldCannotOverwriteTheEvent(t *testing.T) {
	t.Parallel()
	event, err := ParseEvent([]byte(`{"eventId":"1","a":1,"type":"a"}`))
	require.NoError(t, err)
	value, _ := event.Field("a")
	_ = append(value, "XXXX"...)
	require.Equal(t, `{"eventId":"1","a":1,"type":"a"}`, string(event.Raw()))
}

func BenchmarkParseEvent(b *testing.B) {
	data := []byte(documentedEvent)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := ParseEvent(data); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	for _, sample := range samples() {
		f.Add(sample)
	}
	for _, seed := range []string{
		awkward, documentedEvent, `{"eventId":"1","type":"a","eventId":null}`, `{"a":`, `{"a":"\`, "{}", "[", `{"\u0074ype":1}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		before := string(data)
		event, err := ParseEvent(data)
		require.Equal(t, before, string(data))

		// A map matches keys in their exact case and keeps the last member of a name, as the event
		// must.
		var members map[string]json.RawMessage
		isObject := json.Unmarshal(data, &members) == nil && members != nil
		var id, eventType any
		if isObject {
			_ = json.Unmarshal(members["eventId"], &id)
			_ = json.Unmarshal(members["type"], &eventType)
		}
		idText, _ := id.(string)
		typeText, _ := eventType.(string)
		require.Equal(t, isObject && validEventID(idText) && typeText != "", err == nil)
		if err != nil {
			return
		}
		require.Equal(t, before, string(event.Raw()))
		require.Equal(t, idText, event.ID)
		require.Equal(t, typeText, event.Type)
		for name, want := range members {
			value, ok := event.Field(name)
			require.True(t, ok, name)
			require.Equal(t, string(want), string(value))
		}
	})
}
