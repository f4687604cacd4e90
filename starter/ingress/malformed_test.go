package ingress_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

// part is one part of a form with the boundary "b".
func part(name, value string) string {
	return "--b\r\nContent-Disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value + "\r\n"
}

// closed ends such a form.
const closed = "--b--\r\n"

// member is an event with one more member.
func member(text string) string { return `{"eventId":"evt_1","type":"site_view",` + text + `}` }

const (
	brokenForm  = "the multipart body is broken"
	endlessForm = brokenForm + ": it ends before its closing boundary"
	noBoundary  = brokenForm + ": its content type has no boundary of 1 to 70 characters"
	noForm      = "the content type is not multipart/form-data"
	noEvent     = "event: is missing; send it as a multipart field"
	noObject    = "event: is not one JSON object"
	badID       = "event.eventId: must be 1 to 255 visible ASCII characters or spaces"
	badType     = "event.type: must be a string that is not empty"
	encoded     = "Content-Encoding is not supported; send the body as it is"
)

// malformedEvents are refused in the same words by both routes.
var malformedEvents = []struct{ name, give, want string }{
	{"empty", "", noObject},
	{"not JSON", "geheim", noObject},
	{"array", "[" + content + "]", noObject},
	{"null", "null", noObject},
	{"string", `"geheim"`, noObject},
	{"number", "7", noObject},
	{"cut off", content[:len(content)-1], noObject},
	{"trailing garbage", content + "x", noObject},
	{"trailing NUL", content + "\x00", noObject},
	{"two objects", content + content, noObject},
	{"single quotes", `{'eventId':'evt_1','type':'site_view'}`, noObject},
	{"trailing comma", `{"eventId":"evt_1","type":"site_view",}`, noObject},
	{"comment", `{"eventId":"evt_1",/**/"type":"site_view"}`, noObject},
	{"byte order mark", "\ufeff" + content, noObject},
	{"UTF-16", "{\x00}\x00", noObject},
	{"nested too deep", member(`"x":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)), noObject},
	{"nested without end", strings.Repeat(`{"x":`, 50_000), noObject},
	{"a number that is none", member(`"x":01`), noObject},
	{"NUL in a string", member("\"x\":\"\x00\""), noObject},
	{"line break in a string", member("\"x\":\"\n\""), noObject},
	{"lone backslash", member(`"x":"\x"`), noObject},

	{"no members", `{}`, badID},
	{"no id", `{"type":"site_view"}`, badID},
	{"id in another case", `{"EventId":"evt_1","EVENTID":"evt_1","eventid":"evt_1","type":"site_view"}`, badID},
	{"null as id", `{"eventId":null,"type":"site_view"}`, badID},
	{"number as id", `{"eventId":1e400,"type":"site_view"}`, badID},
	{"object as id", `{"eventId":{"eventId":"evt_1"},"type":"site_view"}`, badID},
	{"empty id", `{"eventId":"","type":"site_view"}`, badID},
	{"id of 256 characters", `{"eventId":"` + strings.Repeat("x", 256) + `","type":"site_view"}`, badID},
	{"id with a line break", `{"eventId":"a\nb","type":"site_view"}`, badID},
	{"id with NUL", `{"eventId":"a\u0000","type":"site_view"}`, badID},
	{"id with DEL", `{"eventId":"a\u007f","type":"site_view"}`, badID},
	{"id beyond ASCII", `{"eventId":"é","type":"site_view"}`, badID},
	{"id with half a surrogate pair", `{"eventId":"\ud83d","type":"site_view"}`, badID},
	{"id in invalid UTF-8", "{\"eventId\":\"a\xff\",\"type\":\"site_view\"}", badID},
	{"the last id counts", `{"eventId":"evt_1","eventId":"","type":"site_view"}`, badID},

	{"no type", `{"eventId":"evt_1"}`, badType},
	{"type in another case", `{"eventId":"evt_1","Type":"site_view"}`, badType},
	{"null as type", `{"eventId":"evt_1","type":null}`, badType},
	{"array as type", `{"eventId":"evt_1","type":["site_view"]}`, badType},
	{"empty type", `{"eventId":"evt_1","type":""}`, badType},
}

// roomy takes larger requests than the other tests' configuration.
var roomy = strings.Replace(configuration, "max_body_bytes: 4096", "max_body_bytes: 1048576", 1)

func TestMalformedEventsAreRefusedByBothRoutes(t *testing.T) {
	t.Parallel()
	for _, tt := range malformedEvents {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler, s := newHandler(t, roomy)
			check(t, handler, s, eventRequest(t, tt.give), refused(400, tt.want))
			check(t, handler, s, relayRequest(t, tt.give), refused(400, tt.want))
		})
	}
}

// Odd events are events, and are stored byte for byte.
func TestOddEventsAreTaken(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, give string }{
		{"numbers beyond any type", member(`"x":[1e999999,-1E-999999,` + strings.Repeat("9", 5000) + `]`)},
		{"nested deep", member(`"x":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000))},
		{"invalid UTF-8 in another member", member("\"x\":\"\xff\xfe\"")},
		{"half a surrogate pair and NUL, escaped", member(`"x":"\ud83d\u0000"`)},
		{"names in other cases beside", member(`"EventId":"","Type":7`)},
		{"space around", " \r\n\t" + member(`"x":1`) + "\n"},
		{"no member but the two", `{"eventId":"evt_1","type":"site_view"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			routes, s := newRoutes(t, strings.Replace(roomy, "sites: [site_1]", "sites: []", 1))
			for _, request := range []func(*testing.T, string) *http.Request{eventRequest, relayRequest} {
				clear(s.started)
				check(t, routes, s, request(t, tt.give), ok("evt_1@one-site"))
				require.Equal(t, tt.give, string(s.started["evt_1@one-site"].Event.Raw()))
			}
		})
	}
}

func TestMalformedFormsAreRefused(t *testing.T) {
	t.Parallel()
	const boundary = "multipart/form-data; boundary=b"
	event, environment := part("event", content), part("environment", environment)
	valid := event + environment + closed
	tests := []struct {
		name, giveType, giveBody string
		want                     want
	}{
		{"nothing", boundary, "", refused(400, endlessForm)},
		{"closing boundary missing", boundary, event + environment, refused(400, endlessForm)},
		{"cut off in a field", boundary, event[:len(event)/2], refused(400, endlessForm)},
		{"cut off in the headers of a part", boundary, event + environment[:20], refused(400, brokenForm)},
		{"no fields", boundary, closed, refused(400, noEvent)},
		{"no event", boundary, environment + closed, refused(400, noEvent)},
		{"event in another case", boundary, part("EVENT", content) + environment + closed, refused(400, noEvent)},
		{"no environment", boundary, event + closed, refused(400, "environment: is missing; send it as a multipart field")},
		{"of two events the first counts", boundary, part("event", "{}") + event + environment + closed, refused(400, badID)},
		{"empty environment", boundary, event + part("environment", "") + closed, refused(400, "environment: is not one JSON object")},
		{"environment null", boundary, event + part("environment", "null") + closed, refused(400, "environment: is not one JSON object")},
		{"environment an array", boundary, event + part("environment", "[{}]") + closed, refused(400, "environment: is not one JSON object")},
		{"environment with garbage", boundary, event + part("environment", "{}{") + closed, refused(400, "environment: is not one JSON object")},
		{"environment nested too deep", boundary, event + part("environment", strings.Repeat(`{"a":`, 10_001)+"1"+strings.Repeat("}", 10_001)) + closed, refused(400, "environment: is not one JSON object")},
		{"of two environments the first counts", boundary, event + part("environment", "7") + environment + closed, refused(400, "environment: is not one JSON object")},
		{"a header without a colon", boundary, "--b\r\ngeheim\r\n\r\n" + valid, refused(400, brokenForm)},
		{"large headers of a part", boundary, "--b\r\nX: " + strings.Repeat("x", 20_000) + "\r\n\r\n\r\n" + valid, refused(400, brokenForm+": the headers of a part are larger than 8192 bytes")},
		{"many headers of a part", boundary, "--b\r\n" + strings.Repeat("X:\r\n", 10_001) + "\r\n\r\n" + valid, refused(400, brokenForm+": the headers of a part are larger than 8192 bytes")},
		{"17 parts", boundary, strings.Repeat(part("x", ""), 15) + valid, refused(400, brokenForm+": it has more than 16 parts")},
		{"100,000 parts", boundary, strings.Repeat("--b\r\n\r\n\r\n", 100_000) + valid, refused(400, brokenForm+": it has more than 16 parts")},
		{"another boundary", boundary, strings.ReplaceAll(valid, "--b", "--c"), refused(400, endlessForm)},
		{"boundary missing", "multipart/form-data", valid, refused(400, noBoundary)},
		{"boundary empty", `multipart/form-data; boundary=""`, valid, refused(400, noBoundary)},
		{"boundary of 71 characters", "multipart/form-data; boundary=" + strings.Repeat("b", 71), valid, refused(400, noBoundary)},
		{"boundary twice", "multipart/form-data; boundary=b; boundary=c", valid, refused(415, noForm)},
		{"no content type", "", valid, refused(415, noForm)},
		{"JSON", "application/json", content, refused(415, noForm)},
		{"a form of another kind", "application/x-www-form-urlencoded", "event={}&environment={}", refused(415, noForm)},
		{"multipart of another kind", "multipart/mixed; boundary=b", valid, refused(415, noForm)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler, s := newHandler(t, roomy)
			r := runtimeRequest(t)
			r.Header.Set("Content-Type", tt.giveType)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(tt.giveBody)), int64(len(tt.giveBody))
			check(t, handler, s, r, tt.want)
		})
	}
}

func TestSignaturesThatAreRefused(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) string { return gitbook.Sign(noon.Add(d), []byte(content), sourceSecret) }
	good := at(0)
	mac := good[strings.Index(good, "v1=")+len("v1="):]
	stamp := strings.TrimSuffix(good, ",v1="+mac)
	other := strings.Repeat("0", 64)
	const (
		missing   = "X-GitBook-Signature: the signature is missing; send it in X-GitBook-Signature"
		malformed = "X-GitBook-Signature: the signature is not of the form t=<unix seconds>,v1=<64 hex digits>"
		mismatch  = "X-GitBook-Signature: the signature does not match"
		tooOld    = "X-GitBook-Signature: the signature is too old"
		tooNew    = "X-GitBook-Signature: the signature's time is in the future"
	)
	tests := []struct {
		name string
		give []string // header lines
		want string   // empty when accepted
	}{
		{"good", []string{good}, ""},
		{"exactly 5 minutes old", []string{at(-5 * time.Minute)}, ""},
		{"exactly 5 minutes ahead", []string{at(5 * time.Minute)}, ""},
		{"hex in upper case", []string{stamp + ",v1=" + strings.ToUpper(mac)}, ""},
		{"hex in mixed case", []string{stamp + ",v1=" + strings.ToUpper(mac[:32]) + mac[32:]}, ""},
		{"the first of several", []string{good + ",v1=" + other + ",v1=zz"}, ""},
		{"the last of several", []string{stamp + ",v1=" + other + ",v1=" + mac}, ""},
		{"by the older secret, between others", []string{stamp + ",v1=" + other + "," + strings.Split(gitbook.Sign(noon, []byte(content), oldSecret), ",")[1] + ",v1=" + other}, ""},
		{"spaces after the commas", []string{stamp + " , v1=" + mac + " "}, ""},
		{"a scheme to come", []string{stamp + ",v2=abc,v1=" + mac}, ""},

		{"a second too old", []string{at(-5*time.Minute - time.Second)}, tooOld},
		{"years too old", []string{at(-50 * 365 * 24 * time.Hour)}, tooOld},
		{"a second too far ahead", []string{at(5*time.Minute + time.Second)}, tooNew},
		{"milliseconds instead of seconds", []string{gitbook.Sign(time.Unix(noon.UnixMilli(), 0), []byte(content), sourceSecret)}, malformed},
		{"none", nil, missing},
		{"empty", []string{""}, missing},
		{"blank", []string{" \t"}, missing},
		{"of two headers the first counts", []string{"t=1,v1=" + other, good}, mismatch},
		{"no time", []string{"v1=" + mac}, malformed},
		{"two times", []string{stamp + "," + good}, malformed},
		{"a signed time", []string{strings.Replace(good, "t=", "t=+", 1)}, malformed},
		{"a negative time", []string{strings.Replace(good, "t=", "t=-", 1)}, malformed},
		{"a time beyond any clock", []string{"t=99999999999999999999,v1=" + mac}, malformed},
		{"a time in hex", []string{fmt.Sprintf("t=%#x,v1=%s", noon.Unix(), mac)}, malformed},
		{"no signature", []string{stamp}, malformed},
		{"an empty signature", []string{stamp + ",v1="}, malformed},
		{"63 digits", []string{strings.TrimSuffix(good, mac[63:])}, malformed},
		{"65 digits", []string{good + "0"}, malformed},
		{"not hex", []string{stamp + ",v1=" + strings.Repeat("x", 64)}, malformed},
		{"base64", []string{stamp + ",v1=KIV4Jv4mIlip2pUxQcYTdb0FDYaHQ6w/b6R/xQZK0XU="}, malformed},
		{"names in upper case", []string{strings.ToUpper(good)}, malformed},
		{"semicolons", []string{strings.ReplaceAll(good, ",", ";")}, malformed},
		{"an older scheme alone", []string{strings.Replace(good, "v1", "v0", 1)}, malformed},
		{"the bare digits", []string{mac}, malformed},
		{"another signature", []string{stamp + ",v1=" + other}, mismatch},
		{"another time", []string{fmt.Sprintf("t=%d,v1=%s", noon.Unix()+1, mac)}, mismatch},
		{"by another secret", []string{gitbook.Sign(noon, []byte(content), "another")}, mismatch},
		{"of another body", []string{gitbook.Sign(noon, []byte(content+"\n"), sourceSecret)}, mismatch},
		{"old and not genuine", []string{gitbook.Sign(noon.Add(-time.Hour), []byte(content), "another")}, mismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			routes, s := newRoutes(t, configuration)
			r := relayRequest(t, content)
			r.Header.Del(gitbook.SignatureHeader)
			for _, line := range tt.give {
				r.Header.Add(gitbook.SignatureHeader, line)
			}
			want := refused(401, tt.want)
			if tt.want == "" {
				want = ok("evt_1@search-index", "evt_1@one-space")
			}
			check(t, routes, s, r, want)
		})
	}
}

func TestEncodedBodiesAreRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give []string
		want bool
	}{
		{[]string{"gzip"}, false},
		{[]string{"br"}, false},
		{[]string{"identity, gzip"}, false},
		{[]string{"identity", "gzip"}, false},
		{[]string{"identity"}, true},
		{[]string{"Identity"}, true},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.give, " and "), func(t *testing.T) {
			t.Parallel()
			for _, r := range []*http.Request{eventRequest(t, content), relayRequest(t, content)} {
				handler, s := newHandler(t, configuration)
				r.Header["Content-Encoding"] = tt.give
				if tt.want {
					check(t, handler, s, r, ok("evt_1@search-index", "evt_1@one-space"))
					continue
				}
				compressed := new(bytes.Buffer)
				w := gzip.NewWriter(compressed)
				_, err := io.Copy(w, r.Body)
				require.NoError(t, err)
				require.NoError(t, w.Close())
				r.Body, r.ContentLength = io.NopCloser(compressed), int64(compressed.Len())
				check(t, handler, s, r, refused(415, encoded))
			}
		})
	}
}

// Faults that take a real connection: bodies that are not as long as they say.
func TestMalformedFraming(t *testing.T) {
	t.Parallel()
	const tooLarge = "body is larger than 4096 bytes (max_body_bytes)"
	const cut = "the body breaks off, or its chunks are broken"
	relay := "POST /webhooks/docs HTTP/1.1\r\nHost: courier\r\nContent-Type: application/json\r\nConnection: close\r\n" +
		gitbook.SignatureHeader + ": " + gitbook.Sign(noon, []byte(content), sourceSecret) + "\r\n"
	v1 := "POST /v1 HTTP/1.1\r\nHost: courier\r\nAuthorization: Bearer " + token + "\r\nContent-Type: multipart/form-data; boundary=b\r\nConnection: close\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n", n) }
	form := part("event", content) + part("environment", environment) + closed
	const chunked = "Transfer-Encoding: chunked\r\n\r\n"
	chunk := func(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }
	large := strings.Repeat("x", 5000)
	tests := []struct {
		name, give string
		wantStatus int
		want       string // the error; of a request that net/http refuses, the text
	}{
		{"shorter than it says", relay + length(len(content)+1) + content, 400, cut},
		{"form shorter than it says", v1 + length(len(form)+1) + form[:len(form)-10], 400, endlessForm},
		{"longer than it says", relay + length(len(content)-1) + content, 401, "X-GitBook-Signature: the signature does not match"},
		{"form longer than it says", v1 + length(len(form)-10) + form, 400, endlessForm},
		{"no length", relay + "\r\n" + content, 401, "X-GitBook-Signature: the signature does not match"},
		{"says too much", relay + length(4097), 413, tooLarge},
		{"form says too much", v1 + length(1<<40), 413, tooLarge},
		{"chunks over the limit", relay + chunked + chunk(large), 413, tooLarge},
		{"form in chunks over the limit", v1 + chunked + chunk(part("event", large)), 413, tooLarge},
		{"one chunk that says too much", relay + chunked + "fffffff\r\n" + large, 413, tooLarge},
		{"a chunk size that is none", relay + chunked + "x\r\n", 400, cut},
		{"a chunk size beyond 64 bits", relay + chunked + "fffffffffffffffff\r\n", 400, cut},
		{"last chunk missing", relay + chunked + chunk(content), 400, cut},
		{"form, broken chunk", v1 + chunked + "x\r\n", 400, brokenForm},
		{"negative length", relay + "Content-Length: -1\r\n\r\n", 400, "400 Bad Request"},
		{"two lengths", relay + "Content-Length: 1\r\n" + length(2), 400, "400 Bad Request"},
		{"another transfer coding", relay + "Transfer-Encoding: gzip\r\n\r\n", 501, "Unsupported transfer encoding"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			routes, s := newRoutes(t, configuration)
			server := httptest.NewServer(routes)
			t.Cleanup(server.Close)
			conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = io.WriteString(conn, tt.give)
			require.NoError(t, err)
			require.NoError(t, conn.(*net.TCPConn).CloseWrite())

			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			if answer.Header.Get("Content-Type") == "application/json" {
				tt.want = `{"error":"` + tt.want + `"}`
			}
			require.Equal(t, tt.want, string(body))
			require.Equal(t, tt.wantStatus, answer.StatusCode)
			require.Empty(t, s.started)
		})
	}
	routes, s := newRoutes(t, configuration)
	server := httptest.NewServer(routes)
	t.Cleanup(server.Close)
	client := server.Client()
	r := relayRequest(t, content)
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", server.Listener.Addr().String()
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(content)), -1
	answer, err := client.Do(r)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode, "chunks as such are fine")
	require.Len(t, s.started, 2)
}
