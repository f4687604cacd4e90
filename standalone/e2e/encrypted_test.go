package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// encrypted is a configuration with encrypt_payloads.
func encrypted(destinations ...string) string {
	return "encrypt_payloads: true\n" + configuration(destinations...)
}

// Personal data in the event, and the reply of a receiver, bear marks.
const (
	ipMark      = "MARK0198.51.100.7"
	cookieMark  = "MARK0session0cookie"
	commentMark = "MARK0the0comment"
	replyMark   = "MARK0the0reply"
)

func marks() []string { return []string{ipMark, cookieMark, commentMark, replyMark} }

// personal is an event that a re-encoding would alter.
func personal(id string) string {
	return `{ "eventId":"` + id + `", "type":"page_feedback",  "feedback":{"rating":"bad","comment":"` + commentMark + ` <&\u003c>"},
	"visitor":{"anonymousId":"v","userAgent":"Mozilla","ip":"` + ipMark + `","cookies":{"session":"` + cookieMark + `"}},"big":12345678901234567890, "installationId":"inst_def456", "siteId":"site_abc123" }`
}

// TestEncryptedPayloads takes a delivery through all that can happen to it.
func TestEncryptedPayloads(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 503, Body: replyMark}, status(200))
	gone := hooktest.New(t, hooktest.Answer{Status: 410, Body: replyMark})
	ops := hooktest.New(t)
	data := t.TempDir()
	courier := start(t, data, encrypted(
		destination("search-index", receiver.URL, quick()),
		destination("gone", gone.URL, "notify: ops"),
		destination("ops", ops.URL, events("site_view")),
	))
	given := personal("evt_1")
	courier.accept(t, given, noEnvironment)

	shown := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Equal(t, []tried{{1, 503, "Unavailable"}, {2, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	require.Equal(t, replyMark, shown.Runs[0].Attempts[0].Reply)
	require.Equal(t, receiver.URL, shown.URL)
	require.NotZero(t, shown.AcceptedAt)
	for range 2 {
		request := receiver.Next(t, t.Context())
		require.NoError(t, request.Verified)
		require.Equal(t, given, string(request.Body))
	}
	// The notice of the delivery that is given up.
	require.NoError(t, ops.Next(t, t.Context()).Verified)
	lost := courier.awaitStatus(t, "gone", "evt_1", "undelivered")
	require.Equal(t, "Rejected: 410 Gone", lost.Failure)

	// Held, released and sent again.
	courier.command(t, http.MethodPost, "/api/destinations/search-index/pause", "")
	courier.act(t, "search-index", "evt_1", "redeliver")
	courier.awaitStatus(t, "search-index", "evt_1", "held")
	courier.command(t, http.MethodPost, "/api/destinations/search-index/resume", "")
	again := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Len(t, again.Runs, 2)
	require.Equal(t, given, string(receiver.Next(t, t.Context()).Body))

	// Nothing that Temporal tells is readable without the key.
	for _, id := range []string{"evt_1@search-index", "evt_1@gone"} {
		described, err := courier.client.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		require.NotEmpty(t, described.GetWorkflowExecutionInfo().GetMemo().GetFields())
		requireEncrypted(t, described.ProtoReflect())
		history := readHistory(t, courier.client, id, "")
		requireEncrypted(t, history.ProtoReflect())
		readable, err := protojson.Marshal(history)
		require.NoError(t, err)
		raw, err := proto.Marshal(history)
		require.NoError(t, err)
		requireNone(t, "history of "+id, append(readable, raw...), marks())
	}
	page := courier.list(t, "destination=search-index&status=delivered")
	require.Equal(t, "evt_1", page.Deliveries[len(page.Deliveries)-1].EventID)

	// Nor is what lies on the disk, while the database is in use and afterwards.
	stored := readFolder(t, data)
	courier.kill(t)
	stored = append(stored, readFolder(t, data)...)
	require.Contains(t, string(stored), "evt_1")
	requireNone(t, "the data folder", stored, marks())
}

// requireEncrypted walks through a message and checks every payload in it that is not a search
// attribute.
func requireEncrypted(t *testing.T, message protoreflect.Message) {
	t.Helper()
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.Name() == "search_attributes", field.Name() == "indexed_fields":
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(_ protoreflect.MapKey, value protoreflect.Value) bool {
				requireEncryptedPayload(t, value.Message())
				return true
			})
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				requireEncryptedPayload(t, value.List().Get(i).Message())
			}
		case field.Message() != nil && !field.IsMap():
			requireEncryptedPayload(t, value.Message())
		}
		return true
	})
}

func requireEncryptedPayload(t *testing.T, message protoreflect.Message) {
	t.Helper()
	payload, ok := message.Interface().(*commonpb.Payload)
	if !ok {
		requireEncrypted(t, message)
		return
	}
	require.Equal(t, "binary/encrypted", string(payload.GetMetadata()["encoding"]), "%s", strings.ToValidUTF8(string(payload.GetData()), "?"))
}

func TestTemporalUIDecryptsPayloads(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	receiver := hooktest.New(t, hooktest.Answer{Status: 503, Body: replyMark}, status(200))
	courier := start(t, t.TempDir(), encrypted(destination("search-index", receiver.URL, quick())))
	courier.accept(t, personal("evt_1"), noEnvironment)
	courier.awaitStatus(t, "search-index", "evt_1", "delivered")

	b.openDelivery(t, courier, "evt_1@search-index")
	b.shows(t, "Completed", ipMark, cookieMark, commentMark, replyMark)
	b.openTab(t, "User Metadata")
	b.shows(t, "page_feedback → search-index", "Delivered at attempt 2.", "Unavailable: 503 Service Unavailable")
}

// TestTemporalUIAsksForTheToken answers the browser's own question for user and password, which it
// puts when the page has its first payload decrypted.
func TestTemporalUIAsksForTheToken(t *testing.T) {
	t.Parallel()
	const token = "dG9rZW4gZm9yIHRlc3RzIG9ubHksIDMyIGJ5dGVzISE"
	b := openBrowser(t)
	receiver := hooktest.New(t)
	courier := start(t, t.TempDir(), "access: {tokens: ["+token+"]}\n"+encrypted(destination("search-index", receiver.URL)))
	accepted(t, courier.relay(t, personal("evt_1")))
	receiver.Next(t, t.Context())

	asked := b.logIn(t, token)
	b.openDelivery(t, courier, "evt_1@search-index")
	b.shows(t, "Completed", ipMark, cookieMark, commentMark)
	before := asked.Load()
	require.Positive(t, before)
	b.openTab(t, "User Metadata")
	b.shows(t, "page_feedback → search-index", "Delivered at attempt 1.")
	require.Equal(t, before, asked.Load(), "the browser remembers the token")
}

// logIn gives the browser a password whenever it would ask its user for one, and counts how often
// that is.
func (b browser) logIn(t *testing.T, password string) *atomic.Int64 {
	t.Helper()
	asked := new(atomic.Int64)
	handle := true
	paused, questions := chromedp.Events(b.page, fetch.RequestPaused), chromedp.Events(b.page, fetch.AuthRequired)
	_, err := chromedp.Call(b.page, fetch.Enable, fetch.EnableParams{HandleAuthRequests: &handle})
	require.NoError(t, err)
	go func() {
		for request, err := range paused {
			if err != nil {
				return // the browser has closed
			}
			_, _ = chromedp.Call(b.page, fetch.ContinueRequest, fetch.ContinueRequestParams{RequestID: request.RequestID})
		}
	}()
	go func() {
		for question, err := range questions {
			if err != nil {
				return
			}
			asked.Add(1)
			_, _ = chromedp.Call(b.page, fetch.ContinueWithAuth, fetch.ContinueWithAuthParams{
				RequestID: question.RequestID,
				AuthChallengeResponse: &fetch.AuthChallengeResponse{
					Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: "courier", Password: password,
				},
			})
		}
	}()
	return asked
}

// keyMissing is what the log says of payloads whose key is not configured.
const keyMissing = `(the key of an encrypted payload is missing; put it back into sealing_keys)`

// TestMissingKeyDelaysOnly takes the key away from a delivery that is held, and puts it back.
func TestMissingKeyDelaysOnly(t *testing.T) {
	t.Parallel()
	held, other := hooktest.New(t), hooktest.New(t)
	data := t.TempDir()
	yaml := encrypted(
		destination("held", held.URL, events("page_feedback")),
		destination("other", other.URL, events("site_view")),
	)
	courier := start(t, data, yaml)
	courier.command(t, http.MethodPost, "/api/destinations/held/pause", "")
	given := personal("evt_1")
	courier.accept(t, given, noEnvironment)
	courier.awaitStatus(t, "held", "evt_1", "held")
	courier.stop(t)

	key := filepath.Join(data, "sealing.key")
	saved := key + ".saved"
	require.NoError(t, os.Rename(key, saved))
	courier = start(t, data, yaml) // makes a new key
	courier.command(t, http.MethodPost, "/api/destinations/held/resume", "")
	courier.find(t, &courier.stderr, keyMissing)
	courier.accept(t, event("site_view", "evt_2"), noEnvironment)
	courier.awaitStatus(t, "other", "evt_2", "delivered")
	courier.stop(t)
	require.Empty(t, held.Requests())

	newer, err := os.ReadFile(key)
	require.NoError(t, err)
	require.NoError(t, os.Rename(saved, key))
	courier = start(t, data, "sealing_keys: ["+strings.TrimSpace(string(newer))+"]\n"+yaml)
	require.Equal(t, given, string(held.Next(t, t.Context()).Body))
	shown := courier.awaitStatus(t, "held", "evt_1", "delivered")
	require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	courier.awaitStatus(t, "other", "evt_2", "delivered")
}

// TestMissingKeyUsesUpNoAttempt takes the key away while an attempt is due.
func TestMissingKeyUsesUpNoAttempt(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, status(503), status(503), status(200))
	data := t.TempDir()
	yaml := encrypted(destination("search-index", receiver.URL, retries(100*time.Millisecond, 5*time.Second)))
	courier := start(t, data, yaml)
	given := personal("evt_1")
	courier.accept(t, given, noEnvironment)
	courier.await(t, "search-index", "evt_1", "waiting for the last attempt", func(d delivery) bool {
		return d.AttemptCount == 2 && d.Runs[0].NextAttemptAt != nil
	})
	courier.stop(t)

	key := filepath.Join(data, "sealing.key")
	saved := key + ".saved"
	require.NoError(t, os.Rename(key, saved))
	courier = start(t, data, yaml)
	courier.find(t, &courier.stderr, keyMissing)
	courier.stop(t)
	require.Len(t, receiver.Requests(), 2)

	require.NoError(t, os.Rename(saved, key))
	courier = start(t, data, yaml)
	shown := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Equal(t, []tried{{1, 503, "Unavailable"}, {2, 503, "Unavailable"}, {3, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	for _, request := range receiver.Requests() {
		require.Equal(t, given, string(request.Body))
	}
}
