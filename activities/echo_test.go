package activities

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// closedReasons matches the reasons that there are: the constants, each with an address or the name
// of an HTTP/2 error behind it, and the statuses.
func closedReasons(t *testing.T) *regexp.Regexp {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "classify_error.go", nil, 0)
	require.NoError(t, err)
	var reasons []string
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "reason") && len(spec.Values) == 1 {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				text, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				reasons = append(reasons, regexp.QuoteMeta(text))
			}
		}
		return true
	})
	require.Greater(t, len(reasons), 30)
	for status := 100; status < 1000; status++ {
		reasons = append(reasons, regexp.QuoteMeta(strings.TrimSpace(fmt.Sprint(status, " ", http.StatusText(status)))))
	}
	return regexp.MustCompile(`^(?:it answered )?(?:` + strings.Join(reasons, "|") + `)` +
		`(?: \([0-9.:\[\]a-f]+\)|: (?:` + strings.Join(http2Codes, "|") + `)|; redirects are not followed, give the final URL|; a webhook is answered with a final status, such as 200)?$`)
}

const echoed = "Bearer geheim-geheim-geheim"

// No part of a reply carries what it repeats of the request into a reason.
func TestNothingThatIsEchoedReachesAReason(t *testing.T) {
	t.Parallel()
	closed := closedReasons(t)
	secrets := []string{echoed, "geheim-geheim-geheim", "4815162342"}
	templates := []string{
		"%s", "%s\r\n\r\n", "HTTP/1.1 %s\r\n\r\n", "HTTP/1.1 200 %s\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 500 %s\r\n\r\n", "HTTP/%s 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\n%s\r\n\r\n", "HTTP/1.1 200 OK\r\n%s: x\r\n\r\n", "HTTP/1.1 400 Bad\r\nX: %s\r\n\r\n", "HTTP/1.1 200 OK\r\n X: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %s\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -%s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n", "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
		"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n%s\r\n\r\n", "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\nTrailer: %s\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 302 X\r\nLocation: %s\r\n\r\n", "HTTP/1.1 302 X\r\nLocation: http://[%s\r\n\r\n", "HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n",
		"HTTP/1.1 103 %s\r\nX: %s\r\n\r\n", "HTTP/1.1 503 X\r\nRetry-After: %s\r\n\r\n", "HTTP/1.1 429 X\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 %s%s 1\r\n\r\n", "\x15\x03\x01\x00\x02\x02%s", "\x16\x03\x03\x00\x10%s", "HTTP/1.1 500 X\r\nContent-Encoding: %s\r\n\r\nx", "HTTP/1.1 407 %s\r\nProxy-Authenticate: %s\r\n\r\n",
	}
	roots, certificate := selfSigned(t, "127.0.0.1")
	for _, secret := range secrets {
		for _, template := range templates {
			text := strings.ReplaceAll(template, "%s", secret)
			for _, kind := range []string{"plain", "TLS", "TLS to plain", "proxy"} {
				server := newScript(t, func(conn net.Conn) {
					if kind == "TLS" {
						conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}})
					}
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = io.WriteString(conn, text)
					_ = conn.Close()
				})
				transport, url := newTransport(newDialer(), nil, ""), "https://"+server.address
				switch kind {
				case "plain":
					url = "http://" + server.address
				case "proxy":
					transport, url = newTransport(newDialer(), newGuard(), "http://"+server.address), "https://hooks.example/"
				case "TLS":
					transport.(*way).base.TLSClientConfig = &tls.Config{RootCAs: roots}
				}
				requireClosed(t, closed, transport, url, secret)
			}
		}
	}
}

func requireClosed(t *testing.T, closed *regexp.Regexp, transport http.RoundTripper, url, secret string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	reply, err := post(ctx, transport, Target{URL: url, Headers: map[string]string{"Authorization": secret}}, http.Header{"Authorization": {secret}}, []byte("{}"))
	got := classify(reply.statusCode, reply.header, err, noon)
	if err != nil {
		require.NotContains(t, err.Error(), secret)
	}
	require.NotContains(t, fmt.Sprint(reply.excerpt, got.reason), secret)
	if proxied, ok := transport.(*proxyTransport); ok {
		got.reason = strings.TrimPrefix(got.reason, "through the egress proxy "+proxied.name+": ")
	}
	if got.outcome != OutcomeDelivered {
		require.Regexp(t, closed, got.reason)
	}
}

// Names in certificates are words of the destination's too.
func TestNothingOfACertificateReachesAReason(t *testing.T) {
	t.Parallel()
	closed := closedReasons(t)
	for _, trusted := range []bool{true, false} {
		roots, certificate := selfSigned(t, "geheim-geheim-geheim")
		if !trusted {
			roots = x509.NewCertPool()
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
		server.StartTLS()
		t.Cleanup(server.Close)
		transport := newTransport(newDialer(), nil, "")
		transport.(*way).base.TLSClientConfig = &tls.Config{RootCAs: roots}
		requireClosed(t, closed, transport, server.URL, "geheim-geheim-geheim")
	}
}

func selfSigned(t *testing.T, name string) (*x509.CertPool, tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{name}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return roots, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Over HTTP/2, the replies are frames.
func TestNothingOfHTTP2ReachesAReason(t *testing.T) {
	t.Parallel()
	closed := closedReasons(t)
	roots, certificate := selfSigned(t, "127.0.0.1")
	headers := func(fields ...string) func(*http2.Framer) {
		return func(framer *http2.Framer) {
			var block strings.Builder
			encoder := hpack.NewEncoder(&block)
			for i := 0; i < len(fields); i += 2 {
				_ = encoder.WriteField(hpack.HeaderField{Name: fields[i], Value: fields[i+1]})
			}
			_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: []byte(block.String()), EndHeaders: true, EndStream: true})
		}
	}
	for name, answer := range map[string]func(*http2.Framer){
		"GOAWAY":            func(framer *http2.Framer) { _ = framer.WriteGoAway(1, http2.ErrCodeEnhanceYourCalm, []byte(echoed)) },
		"GOAWAY, odd":       func(framer *http2.Framer) { _ = framer.WriteGoAway(1, 4815162342%(1<<32), []byte("ErrCode="+echoed)) },
		"reset":             func(framer *http2.Framer) { _ = framer.WriteRSTStream(1, http2.ErrCodeInternal) },
		"reset, odd":        func(framer *http2.Framer) { _ = framer.WriteRSTStream(1, 4815162342%(1<<32)) },
		"status":            headers(":status", echoed),
		"status, number":    headers(":status", "4815162342"),
		"negative status":   headers(":status", "-200"),
		"header":            headers(":status", "500", "x", echoed),
		"header name":       headers(":status", "500", echoed, "x"),
		"pseudo header":     headers(":status", "500", ":geheim-geheim-geheim", echoed),
		"length":            headers(":status", "500", "content-length", echoed),
		"no status":         headers("x", echoed),
		"long headers":      headers(":status", "500", "x", strings.Repeat(echoed, 8000)),
		"frame":             func(framer *http2.Framer) { _ = framer.WriteRawFrame(http2.FrameHeaders, 0xff, 1, []byte(echoed)) },
		"settings":          func(framer *http2.Framer) { _ = framer.WriteRawFrame(http2.FrameSettings, 0, 0, []byte("geheim-")) },
		"data before reply": func(framer *http2.Framer) { _ = framer.WriteData(1, true, []byte(echoed)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newScript(t, func(conn net.Conn) {
				secure := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}})
				_, _ = io.ReadFull(secure, make([]byte, len(http2.ClientPreface)))
				framer := http2.NewFramer(secure, secure)
				framer.AllowIllegalWrites = true
				_ = framer.WriteSettings()
				for {
					frame, err := framer.ReadFrame()
					if err != nil {
						return
					}
					if frame.Header().Type == http2.FrameHeaders {
						answer(framer)
						_ = secure.Close()
						return
					}
				}
			})
			transport := newTransport(newDialer(), nil, "")
			transport.(*way).base.TLSClientConfig = &tls.Config{RootCAs: roots}
			requireClosed(t, closed, transport, "https://"+server.address, echoed)
		})
	}
}
