package activities

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

func TestExcerptConcealsWhatTheReplyRepeatsOfTheRequest(t *testing.T) {
	t.Parallel()
	target := Target{
		URL:     "https://hooks.example.com/in?key=geheim%2Bgeheim&team=docs",
		Headers: map[string]string{"Authorization": "Bearer token-of-the-tests", "X-Team": "docs"},
	}
	tests := []struct{ give, want string }{
		{"fine, docs", "fine, docs"},
		{"POST /in?key=geheim%2Bgeheim&team=docs", "POST /in?[secret]"},
		{`{"key":"geheim+geheim","again":"geheim%2Bgeheim"}`, `{"key":"[secret]","again":"[secret]"}`},
		{"Authorization: Bearer token-of-the-tests\ntoken-of-the-tests", "Authorization: [secret]\n[secret]"},
		{strings.Repeat("x", 1020) + "token-of-the-tests", strings.Repeat("x", 1020) + "[sec"},
		{strings.Repeat("é", 600), strings.Repeat("é", 512)},
		{"\xff", "�"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, target.excerpt([]byte(tt.give)))
	}
	require.Equal(t, "any", Target{URL: "http://%zz"}.excerpt([]byte("any")))
}

// A destination that answers with something else than HTTP, however long,
// leaves neither that nor what it repeats of the request in the reason.
func TestReasonHasNothingOfAReplyThatIsNotHTTP(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("geheim\x01", 8000)
	const broken = "net/http: HTTP/1.x transport connection broken: malformed "
	tests := []struct {
		name, give string
		want       verdict
	}{
		{"echo", "POST /?key=geheim HTTP/1.1\r\n\r\n", verdict{outcome: FailureUnavailable, reason: broken + "HTTP status code", retry: true, retryAfter: 0}},
		{"status line", long + "\r\n\r\n", verdict{outcome: FailureUnavailable, reason: broken + "HTTP response", retry: true, retryAfter: 0}},
		{"header", "HTTP/1.1 200 OK\r\n" + long + "\r\n\r\n", verdict{outcome: FailureUnavailable, reason: broken + "MIME header: missing colon:", retry: true, retryAfter: 0}},
		{"location", "HTTP/1.1 302 Found\r\nLocation: http://[::1geheim\r\nContent-Length: 0\r\n\r\n", verdict{outcome: FailureRedirected, reason: "302 Found; redirects are not followed, give the final URL"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			address := speak(t, tt.give)
			reply, err := post(t.Context(), newTransport(newDialer(), nil, ""), Target{URL: "http://" + address + "/?key=geheim", Secrets: []string{hooktest.Secret}}, http.Header{}, nil)
			require.Equal(t, tt.want, classify(reply.statusCode, reply.header, err, time.Now()))
		})
	}
	require.Len(t, describe(&net.AddrError{Err: strings.Repeat("é", 1000)}), maxReason+len("…"))
}

// speak answers the first connection with a text.
func speak(t *testing.T, text string) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		_, _ = conn.Read(make([]byte, 4096))
		_, _ = conn.Write([]byte(text))
		_ = conn.Close()
	}()
	return listener.Addr().String()
}
