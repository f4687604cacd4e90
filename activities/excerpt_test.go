package activities

import (
	"bytes"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
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

func TestExcerptIsText(t *testing.T) {
	t.Parallel()
	target := Target{Headers: map[string]string{"Authorization": "Basic Y291cmllcjpnZWhlaW0vZ2VoZWlt"}, Secrets: []string{"sign/ing+secret"}}
	page := `<!doctype html><html><head><title>Oops</title><style>p { color: red }</style><script>alert("x")</script></head>` +
		`<body><p>It is <b>bro</b>ken &amp; sad<p>courier:geheim&#47;geheim<!-- comment --></body></html>`
	const pageWords = "Oops\nIt is broken & sad\n[secret]"
	utf16 := "\xff\xfeg\x00r\x00\xfc\x00n\x00"
	tests := []struct {
		name, giveBody, giveType, giveEncoding, want string
	}{
		{"gzip", compressed("fine"), "text/plain", "gzip", "fine"},
		{"undeclared gzip", compressed("fine"), "", "", "fine"},
		{"twice", compressed(compressed("fine")), "", "gzip, gzip", "fine"},
		{"br", brotlied("fine"), "text/plain", "br", "fine"},
		{"zlib", zlibbed("fine"), "text/plain", "deflate", "fine"},
		{"not compressed at all", "fine", "text/plain", "gzip", "fine"},
		{"cut off", compressed(strings.Repeat("fine", 10))[:20], "", "gzip", strings.Repeat("fine", 10)},
		{"bomb", compressed(strings.Repeat("\x00", 64<<20)), "", "gzip", ""},
		{"a page", page, "text/html", "", pageWords},
		{"a page, undeclared", page, "", "", pageWords},
		{"a compressed page", compressed(page), "text/html; charset=utf-8", "gzip", pageWords},
		{"latin", "gr\xfcn", "text/plain; charset=iso-8859-1", "", "grün"},
		{"UTF-16", utf16, "text/plain", "", "grün"},
		{"Shift JIS", "\x93\xfa\x96\x7b", "text/plain; charset=shift_jis", "", "日本"},
		{"ASCII that says it were UTF-16", "sign/ing+secret!", "text/plain; charset=utf-16le", "", "[secret]!"},
		{"control characters", "a\x00b\x1b[31mc\u202ed\r\n\te", "text/plain", "", "ab[31mcd\n\te"},
		{"secret in between NULs", "s\x00i\x00g\x00n\x00/\x00i\x00n\x00g\x00+\x00s\x00e\x00c\x00r\x00e\x00t\x00", "", "", "[secret]"},
		{"secret in JSON", `{"a":"sign\/ing\u002bsecret"}`, "application/json", "", `{"a":"[secret]"}`},
		{"secret in a URL", `?a=sign%2fing%2Bsecret`, "text/plain", "", `?a=[secret]`},
		{"secret in HTML", `<p>sign&#x2f;ing&#43;secret`, "text/plain", "", `<p>[secret]`},
		{"secret in base64", "c2lnbi9pbmcrc2VjcmV0", "text/plain", "", "[secret]"},
		{"decoded credentials", "user courier:geheim/geheim, password geheim/geheim", "text/plain", "", "user [secret], password [secret]"},
		{"secret at the end of what is read", strings.Repeat("<i></i>", maxReplyRead/7-2) + "<p>sign/ing+sec" + strings.Repeat("r", 20), "text/html", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Content-Type": {tt.giveType}, "Content-Encoding": {tt.giveEncoding}}
			body := []byte(tt.giveBody)
			require.Equal(t, tt.want, target.excerpt(body[:min(len(body), maxReplyRead)], header, nil))
		})
	}
	sent := http.Header{"Cookie": {"session=kekse-kekse"}, "webhook-id": {"evt_12345678"}}
	require.Equal(t, "[secret] evt_12345678", target.excerpt([]byte("kekse-kekse evt_12345678"), nil, sent))
}

func FuzzExcerpt(f *testing.F) {
	for _, seed := range []string{"fine", compressed("token-of-the-tests"), "<p>token-of-the-tests", "\xff\xfea\x00"} {
		f.Add([]byte(seed), "text/html", "gzip")
		f.Add([]byte(seed), "text/plain; charset=utf-16", "")
	}
	target := Target{Headers: map[string]string{"Authorization": "Bearer token-of-the-tests"}}
	f.Fuzz(func(t *testing.T, body []byte, contentType, encoding string) {
		got := target.excerpt(body, http.Header{"Content-Type": {contentType}, "Content-Encoding": {encoding}}, nil)
		require.True(t, utf8.ValidString(got))
		require.LessOrEqual(t, len(got), maxReplyKept)
		require.NotContains(t, got, "token-of-the-tests")
		require.NotContains(t, got, "\x00")
	})
}

func brotlied(text string) string {
	var b bytes.Buffer
	w := brotli.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}

func zlibbed(text string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}
