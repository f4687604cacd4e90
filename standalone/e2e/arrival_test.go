package e2e_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// oddBytes are members that any re-encoding would change: characters that JSON encoders escape or
// unescape, spaces, repeated keys and numbers beyond any type.
const oddBytes = `"odd" : "& < > é ` + "\u2028" + ` 😀 \u00e9 \/ \uD83D\uDE00",` + "\r\n\t" +
	`"big": 123456789012345678901234567890, "tiny":1.50e-400 ,  "same":1,"same":2, "":[ ] ,`

// documented are the three documented events, under ids with a prefix.
func documented(prefix string) map[string]string {
	return map[string]string{
		"space_content_updated": `{"eventId":"` + prefix + `_content","type":"space_content_updated",` + oddBytes +
			`"spaceId":"space_xyz789","installationId":"inst_def456","revisionId":"rev_abc123def456"}`,
		"site_view": ` {"eventId":"` + prefix + `_view","type":"site_view",` + oddBytes + `"siteId":"site_abc123","installationId":"inst_def456",
  "visitor":{"anonymousId":"anon_1","userAgent":"Mozilla/5.0","ip":"203.0.113.7","cookies":{"a":"<b>"}},
  "url":"https://docs.example.com/start?a=1&b=2","referrer":"https://example.com/"}` + "\n",
		"page_feedback": `{"eventId":"` + prefix + `_feedback","type":"page_feedback",` + oddBytes + `"siteId":"site_abc123","spaceId":"space_xyz789",
  "pageId":"page_1","installationId":"inst_def456","feedback":{"rating":"good","comment":"Clear & short"},
  "visitor":{"anonymousId":"anon_1","userAgent":"Mozilla/5.0","ip":"203.0.113.7","cookies":{}},"url":"https://docs.example.com/","referrer":""}`,
	}
}

func eventID(event string) string {
	_, rest, _ := strings.Cut(event, `"eventId":"`)
	id, _, _ := strings.Cut(rest, `"`)
	return id
}

// requests are those that a receiver has had of an event.
func requests(receiver *hooktest.Receiver, eventID string) []hooktest.Request {
	var all []hooktest.Request
	for _, request := range receiver.Requests() {
		if request.Header.Get("Webhook-Id") == eventID {
			all = append(all, request)
		}
	}
	return all
}

func TestDocumentedEventsArriveByteForByteAndSigned(t *testing.T) {
	t.Parallel()
	const oldSecret = "b2xkIHNlY3JldCwgZm9yIHRlc3RzIG9ubHkgLi4uLi4"
	configured, rotating, installation := hooktest.New(t), hooktest.New(t), hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(
		destination("search-index", configured.URL, "headers: {X-Team: docs}"),
		destination("rotating", rotating.URL, "secrets: ["+hooktest.Secret+", "+oldSecret+"]"),
	))
	type arrival struct {
		destination string
		receiver    *hooktest.Receiver
		secrets     []string
	}
	relayed := []arrival{
		{"search-index", configured, []string{hooktest.Secret}},
		{"rotating", rotating, []string{hooktest.Secret, oldSecret}},
	}
	tests := []struct {
		name string
		give func(t *testing.T, event string) reply
		want []arrival
	}{
		{
			"v1",
			func(t *testing.T, event string) reply {
				return courier.post(t, event, environment(installation.URL+"/hook?key=1", installationSecret, "token"))
			},
			append([]arrival{{"installation.inst_def456", installation, []string{installationSecret}}}, relayed...),
		},
		{
			"webhooks",
			func(t *testing.T, event string) reply { return courier.relay(t, event) },
			relayed,
		},
	}
	for _, tt := range tests {
		for eventType, event := range documented(tt.name) {
			t.Run(tt.name+" "+eventType, func(t *testing.T) {
				t.Parallel()
				id := eventID(event)
				answer := tt.give(t, event)
				accepted(t, answer)
				var ids []string
				for _, want := range tt.want {
					ids = append(ids, id+"@"+want.destination)
					shown := courier.awaitStatus(t, want.destination, id, "delivered")
					require.Equal(t, eventType, shown.Type)
					require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
					all := requests(want.receiver, id)
					require.Len(t, all, 1)
					require.Equal(t, event, string(all[0].Body))
					requireDelivery(t, all[0], id, want.secrets)
				}
				require.Equal(t, strings.Join(ids, ", "), answer.header.Get("Courier-Delivery"))
				require.Equal(t, "docs", requests(configured, id)[0].Header.Get("X-Team"))
			})
		}
	}
}

// requireDelivery checks the headers of a first attempt without the help of the code that wrote
// them.
func requireDelivery(t *testing.T, request hooktest.Request, id string, secrets []string) {
	t.Helper()
	require.Equal(t, "application/json", request.Header.Get("Content-Type"))
	require.Equal(t, "GitBook-Webhook", request.Header.Get("User-Agent"))
	require.Equal(t, id, request.Header.Get("Webhook-Id"))
	require.Equal(t, "1", request.Header.Get("Courier-Attempt"))

	timestamp, signatures := readSignature(t, request.Header)
	require.Len(t, signatures, len(secrets))
	for i, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(timestamp + "." + string(request.Body)))
		require.Equal(t, hex.EncodeToString(mac.Sum(nil)), signatures[i], "signature %d", i)

		raw, err := standardwebhooks.NewWebhookRaw([]byte(secret))
		require.NoError(t, err)
		require.NoError(t, raw.Verify(request.Body, request.Header))
		encoded, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString([]byte(secret)))
		require.NoError(t, err)
		require.NoError(t, encoded.Verify(request.Body, request.Header))
	}
	other, err := standardwebhooks.NewWebhookRaw([]byte("another secret"))
	require.NoError(t, err)
	require.Error(t, other.Verify(request.Body, request.Header))
}

// readSignature takes X-GitBook-Signature apart, whose time is also that of the Standard Webhooks
// headers, and fresh.
func readSignature(t *testing.T, header http.Header) (timestamp string, signatures []string) {
	t.Helper()
	for element := range strings.SplitSeq(header.Get("X-Gitbook-Signature"), ",") {
		switch name, value, _ := strings.Cut(element, "="); name {
		case "t":
			timestamp = value
		case "v1":
			signatures = append(signatures, value)
		}
	}
	require.Equal(t, timestamp, header.Get("Webhook-Timestamp"))
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), time.Unix(seconds, 0), patience)
	return timestamp, signatures
}

func TestEachDestinationGetsWhatItsFiltersLetThrough(t *testing.T) {
	t.Parallel()
	spaces, views := hooktest.New(t), hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(
		destination("one-space", spaces.URL, events("space_content_updated", "page_feedback"), "spaces: [space_1]"),
		destination("one-site", views.URL, events("site_view", "page_feedback"), "sites: [site_1]"),
	))
	tests := []struct{ give, want string }{
		{`{"eventId":"a","type":"space_content_updated","spaceId":"space_1"}`, "a@one-space"},
		{`{"eventId":"b","type":"space_content_updated","spaceId":"space_2"}`, ""},
		{`{"eventId":"c","type":"site_view","siteId":"site_1"}`, "c@one-site"},
		{`{"eventId":"d","type":"page_feedback","siteId":"site_1","spaceId":"space_1"}`, "d@one-space, d@one-site"},
		{`{"eventId":"e","type":"page_feedback","siteId":"site_2","spaceId":"space_1"}`, "e@one-space"},
	}
	for _, tt := range tests {
		answer := courier.relay(t, tt.give)
		require.Equal(t, http.StatusOK, answer.status, answer.body)
		require.Equal(t, tt.want, answer.header.Get("Courier-Delivery"), tt.give)
		if tt.want == "" {
			continue
		}
		for id := range strings.SplitSeq(tt.want, ", ") {
			event, destination, _ := strings.Cut(id, "@")
			courier.awaitStatus(t, destination, event, "delivered")
		}
	}
	arrived := func(receiver *hooktest.Receiver) []string {
		var ids []string
		for _, request := range receiver.Requests() {
			ids = append(ids, request.Header.Get("Webhook-Id"))
		}
		return ids
	}
	require.Equal(t, []string{"a", "d", "e"}, arrived(spaces))
	require.Equal(t, []string{"c", "d"}, arrived(views))
	unhandled := courier.relay(t, `{"eventId":"f","type":"installation_setup"}`)
	require.Equal(t, http.StatusNotAcceptable, unhandled.status)
}
