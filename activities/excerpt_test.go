package activities

import (
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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
		require.Equal(t, tt.want, target.excerpt([]byte(tt.give), nil, nil))
	}
	require.Equal(t, "any", Target{URL: "http://%zz"}.excerpt([]byte("any"), nil, nil))
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
