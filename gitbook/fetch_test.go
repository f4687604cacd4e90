package gitbook

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func fetchEvent(t *testing.T, request string) Event {
	t.Helper()
	event, err := ParseEvent([]byte(`{"eventId":"evt_1","type":"fetch","request":` + request + `}`))
	require.NoError(t, err)
	return event
}

func TestFetchRequest(t *testing.T) {
	t.Parallel()
	request, err := fetchEvent(t, `{"method":"post","url":"https://integrations.gitbook.com/v1/integrations/x/ü?a=b c","headers":{
		"content-type":"application/json","x-hub-signature-256":"sha256=abc","Authorization":"Bearer t","cookie":"a=b",
		"connection":"keep-alive, X-Drop","x-drop":"1","keep-alive":"1","TE":"trailers","trailer":"x","transfer-encoding":"chunked","upgrade":"h2c",
		"proxy-authorization":"x","proxy-authenticate":"x","proxy-connection":"x",
		"host":"integrations.gitbook.com","content-length":"7","accept-encoding":"gzip","accept":"*/*",
		"X-GitBook-Signature":"t=1,v1=2","x-gitbook-anything":"1","webhook-id":"x","Courier-Attempt":"9",
		"x-twice":"a","X-Twice":"b","x-number":7,"x-padded":" a\t","bad name":"1","x-break":"a\r\nb: c","":"x","x-utf8":"ü"}}`).FetchRequest()
	require.NoError(t, err)
	require.Equal(t, FetchRequest{
		Method: "post", URL: "https://integrations.gitbook.com/v1/integrations/x/%C3%BC?a=b%20c",
		Header: http.Header{
			"Content-Type": {"application/json"}, "X-Hub-Signature-256": {"sha256=abc"}, "Authorization": {"Bearer t"}, "Cookie": {"a=b"},
			"Accept": {"*/*"}, "X-Twice": {"a, b"}, "X-Number": {"7"}, "X-Padded": {"a"}, "X-Utf8": {"ü"},
		},
	}, request)

	request, err = fetchEvent(t, `{"url":7,"method":"a\nb"}`).FetchRequest()
	require.NoError(t, err)
	require.Equal(t, FetchRequest{Method: "ab", Header: http.Header{}}, request)

	for _, wrong := range []string{`"text"`, `null`, `[]`, `7`} {
		_, err = fetchEvent(t, wrong).FetchRequest()
		require.EqualError(t, err, "event.request: is not one JSON object")
	}
}

func TestFetchRequestPrintsNothing(t *testing.T) {
	t.Parallel()
	request := FetchRequest{URL: "https://geheim", Header: http.Header{"Authorization": {"geheim"}}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(verb, request), "geheim")
	}
	_, err := request.MarshalJSON()
	require.Error(t, err)
}

func TestRuntimeRequestHasTheBodyOfAFetch(t *testing.T) {
	t.Parallel()
	binary := "\x00\r\n--x\xff"
	for _, tt := range []struct {
		name   string
		bodies []string
		want   []byte
	}{
		{"none", nil, nil},
		{"empty", []string{""}, []byte{}},
		{"binary", []string{binary}, []byte(binary)},
		{"the first counts", []string{"a", "b"}, []byte("a")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var b bytes.Buffer
			form := multipart.NewWriter(&b)
			for _, body := range tt.bodies {
				part, err := form.CreateFormFile("fetch-body", "blob")
				require.NoError(t, err)
				_, err = part.Write([]byte(body))
				require.NoError(t, err)
			}
			require.NoError(t, form.WriteField("event", `{"eventId":"evt_1","type":"fetch"}`))
			require.NoError(t, form.WriteField("environment", `{}`))
			require.NoError(t, form.Close())
			request, err := ParseRuntimeRequest(form.FormDataContentType(), &b)
			require.NoError(t, err)
			require.Equal(t, tt.want, request.FetchBody)
		})
	}
}

// Whatever the event holds, the headers can be sent, and none is one of a delivery's own.
func FuzzFetchRequest(f *testing.F) {
	f.Add([]byte(`{"method":"post","url":"https://x","headers":{"a":"b","connection":"c"}}`))
	f.Fuzz(func(t *testing.T, request []byte) {
		event, err := ParseEvent([]byte(`{"eventId":"evt_1","type":"fetch","request":` + string(request) + `}`))
		if err != nil {
			return
		}
		parsed, err := event.FetchRequest()
		if err != nil {
			return
		}
		sent, err := http.NewRequest(http.MethodPost, "http://127.0.0.1/", nil) //nolint:noctx // It is only written.
		require.NoError(t, err)
		sent.Header = parsed.Header
		sent.Header.Set("X-GitBook-Request-Method", parsed.Method)
		sent.Header.Set("X-GitBook-Request-URL", parsed.URL)
		var b bytes.Buffer
		require.NoError(t, sent.Write(&b))
		for name := range parsed.Header {
			lower := strings.ToLower(name)
			require.False(t, strings.HasPrefix(lower, "webhook-") || strings.HasPrefix(lower, "courier-"), name)
		}
	})
}
