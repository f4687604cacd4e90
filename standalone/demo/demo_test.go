package demo

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

const secret = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I"

func start(t *testing.T) (*Receiver, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer // Read after an answer, before which it was written.
	r, err := Start("127.0.0.1:0", secret, &out)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.Stop(context.WithoutCancel(t.Context())) })
	return r, &out
}

func post(t *testing.T, url, body string, headers map[string]string) (status int) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestReceiverPrintsEachWebhook(t *testing.T) {
	t.Parallel()
	const body = `{"eventId":"evt_1","type":"page_feedback","url":"https://a.example/?a=1&b=2"}`
	const laidOut = `     {
       "eventId": "evt_1",
       "type": "page_feedback",
       "url": "https://a.example/?a=1&b=2"
     }
`
	tests := []struct {
		name       string
		givePath   string
		giveBody   string
		giveSecret string
		want       string
		wantStatus int
	}{
		{
			name: "verified", givePath: "/", giveBody: body, giveSecret: secret,
			want: "200  page_feedback  evt_1  attempt 2  signature verified\n" + laidOut, wantStatus: http.StatusOK,
		},
		{
			name: "any path", givePath: "/hooks/gitbook", giveBody: body, giveSecret: secret,
			want: "200  page_feedback  evt_1  attempt 2  signature verified\n" + laidOut, wantStatus: http.StatusOK,
		},
		{
			name: "another secret", givePath: "/", giveBody: body, giveSecret: "other",
			want: "401  page_feedback  evt_1  attempt 2  the signature does not match\n" + laidOut, wantStatus: http.StatusUnauthorized,
		},
		{
			name: "told to fail", givePath: "/fail", giveBody: body, giveSecret: secret,
			want: "503  page_feedback  evt_1  attempt 2  signature verified\n" + laidOut, wantStatus: http.StatusServiceUnavailable,
		},
		{
			name: "told to fail, another secret", givePath: "/fail", giveBody: body, giveSecret: "other",
			want: "503  page_feedback  evt_1  attempt 2  the signature does not match\n" + laidOut, wantStatus: http.StatusServiceUnavailable,
		},
		{
			name: "not JSON", givePath: "/", giveBody: "hello", giveSecret: secret,
			want: "200  (none)  (none)  attempt 2  signature verified\n     hello\n", wantStatus: http.StatusOK,
		},
		{
			name: "a type that would draw lines of its own", givePath: "/", giveBody: `{"eventId":"evt_1","type":"a\n200 \u001b[2J"}`, giveSecret: secret,
			want: "200  a\\u000a200 \\u001b[2J  evt_1  attempt 2  signature verified\n" +
				"     {\n       \"eventId\": \"evt_1\",\n       \"type\": \"a\\n200 \\u001b[2J\"\n     }\n",
			wantStatus: http.StatusOK,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, out := start(t)
			status := post(t, r.URL()+tt.givePath, tt.giveBody, map[string]string{
				gitbook.SignatureHeader: gitbook.Sign(time.Now(), []byte(tt.giveBody), tt.giveSecret),
				gitbook.AttemptHeader:   "2",
			})
			require.Equal(t, tt.wantStatus, status)
			require.NoError(t, r.Stop(t.Context()))
			require.Equal(t, tt.want, out.String())
		})
	}
}

func TestReceiverRefusesOtherRequests(t *testing.T) {
	t.Parallel()
	r, out := start(t)
	response, err := http.Get(r.URL()) //nolint:noctx // The server is in this process.
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	require.Equal(t, http.MethodPost, response.Header.Get("Allow"))

	require.Equal(t, http.StatusRequestEntityTooLarge, post(t, r.URL(), strings.Repeat("a", gitbook.DefaultMaxBodyBytes+1), nil))
	require.NoError(t, r.Stop(t.Context()))
	require.Empty(t, out.String())
}

// Ensure blocks of requests at the same time do not mix; the race detector watches the writer.
func TestReceiverPrintsOneAtATime(t *testing.T) {
	t.Parallel()
	r, out := start(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { _ = post(t, r.URL(), "body", nil) })
	}
	wg.Wait()
	require.NoError(t, r.Stop(t.Context()))
	const block = "401  (none)  (none)  attempt (none)  the signature is missing; send it in X-GitBook-Signature\n     body\n"
	require.Equal(t, strings.Repeat(block, 20), out.String())
}

func TestIndentShowsTheBeginningOfLargeBodies(t *testing.T) {
	t.Parallel()
	got := indent([]byte(strings.Repeat("a", maxPrintedBytes-1) + "ä" + "bc"))
	require.Equal(t, "     "+strings.Repeat("a", maxPrintedBytes-1)+"… (4 bytes more)", got)

	got = field(strings.Repeat("a", maxFieldBytes-1) + "ä")
	require.Equal(t, strings.Repeat("a", maxFieldBytes-1)+"…", got)
}

func TestStartNamesTakenPort(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // It returns at once.
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	_, err = Start(taken.Addr().String(), secret, &bytes.Buffer{})
	require.EqualError(t, err, "the demo receiver's port "+taken.Addr().String()+" is taken by another process; set --demo-listen or COURIER_DEMO_LISTEN")
}

// Ensure that nothing a terminal obeys gets through, whatever comes in.
func FuzzPrintable(f *testing.F) {
	for _, seed := range []string{"plain", "\x1b[31m", "\u009b2J", "\u202e", "a\xffb", "line\nline\r\n", "é…", "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s, true)
		require.True(t, utf8.ValidString(got))
		for _, r := range got {
			require.False(t, r != '\n' && (r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e), "%q", r)
		}
		require.NotContains(t, printable(s, false), "\n")
	})
}
