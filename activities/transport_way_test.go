package activities

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// script serves raw connections, and knows how many are open.
type script struct {
	address string
	open    atomic.Int32
}

func newScript(t *testing.T, serve func(net.Conn)) *script {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	s := &script{address: listener.Addr().String()}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.open.Add(1)
			go func() {
				defer s.open.Add(-1)
				defer func() { _ = conn.Close() }()
				serve(conn)
				_, _ = io.Copy(io.Discard, conn) // until the client closes
			}()
		}
	}()
	return s
}

// trickle reads the request, writes the beginning, and then a piece again and again until the
// client closes.
func trickle(beginning, piece string) func(net.Conn) {
	return func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 4096))
		_, err := io.WriteString(conn, beginning)
		for err == nil && piece != "" {
			<-time.After(time.Millisecond)
			_, err = io.WriteString(conn, piece)
		}
	}
}

// Whatever the reply is, an attempt ends at its timeout, and its connection too.
func TestAttemptsEndAtTheirTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 300 * time.Millisecond
	hang := func(net.Conn) {}
	tests := []struct {
		name      string
		give      func(net.Conn)
		giveProxy string // its scheme
		giveHTTPS bool
		want      string // the outcome, or the reason without what a proxy adds
	}{
		{"switching protocols", trickle("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", ""), "", false, "101 Switching Protocols"},
		{"switching protocols, with data", trickle("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "x"), "", false, "101 Switching Protocols"},
		{"switching protocols without an upgrade", trickle("HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5\r\n\r\n", "x"), "", false, "101 Switching Protocols"},
		{"informational replies", trickle("", "HTTP/1.1 103 Early Hints\r\n\r\n"), "", false, reasonTimeout},
		{"a flood of informational replies", func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			for {
				if _, err := io.WriteString(conn, strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 100)); err != nil {
					return
				}
			}
		}, "", false, reasonLongHeaders},
		{"headers", trickle("HTTP/1.1 200 OK\r\n", "X: y\r\n"), "", false, reasonTimeout},
		{"one header", trickle("HTTP/1.1 200 OK\r\nX: ", "y"), "", false, reasonTimeout},
		{"a status line", trickle("HTTP/1.1 200 ", "O"), "", false, reasonTimeout},
		{"a body", trickle("HTTP/1.1 200 OK\r\n\r\n", "x"), "", false, OutcomeDelivered},
		{"a body that does not come", trickle("HTTP/1.1 500 Oops\r\nContent-Length: 9\r\n\r\n", ""), "", false, "500 Internal Server Error"},
		{"chunk extensions", trickle("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"), "", false, OutcomeDelivered},
		{"trailers", trickle("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "X: y\r\n"), "", false, OutcomeDelivered},
		{"nothing", hang, "", false, reasonTimeout},
		{"no TLS handshake", hang, "", true, reasonTimeoutTLS},
		{"a TLS record in pieces", trickle("\x16\x03\x03\x40\x00", "x"), "", true, reasonTimeoutTLS},
		{"a proxy's answer", trickle("HTTP/1.1 200 OK\r\n", "X: y\r\n"), "http", true, reasonTimeoutTLS},
		{"a proxy's silence", hang, "http", true, reasonTimeoutTLS},
		{"a SOCKS proxy's silence", hang, "socks5", true, reasonTimeoutTLS},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := newScript(t, tt.give)
			target, proxy := "http://"+server.address, ""
			if tt.giveHTTPS {
				target = "https://" + server.address
			}
			var transport http.RoundTripper
			if tt.giveProxy != "" {
				target, proxy = "https://hooks.example/", tt.giveProxy+"://"+server.address
				transport = newTransport(newDialer(), newGuard(), proxy)
			} else {
				transport = newTransport(newDialer(), nil, "")
			}
			ctx, cancel := context.WithTimeout(t.Context(), timeout)
			defer cancel()
			began := time.Now()

			reply, err := post(ctx, transport, Target{URL: target}, http.Header{}, []byte("{}"))

			require.Less(t, time.Since(began), timeout+graceAfterTimeout)
			got := classify(reply.statusCode, reply.header, err, noon)
			require.False(t, got.notSent)
			require.Contains(t, got.outcome+" "+got.reason, tt.want)
			require.Eventually(t, func() bool { return server.open.Load() == 0 }, 5*time.Second, 5*time.Millisecond, "the connection is closed")
		})
	}
}

func TestSwitchingProtocolsDoesNotWait(t *testing.T) {
	t.Parallel()
	server := newScript(t, trickle("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", ""))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reply, err := post(ctx, newTransport(newDialer(), nil, ""), Target{URL: "http://" + server.address}, http.Header{}, nil)
	got := classify(reply.statusCode, reply.header, err, noon)
	require.Equal(t, FailureRejected, got.outcome)
	require.False(t, got.retry)
	require.Eventually(t, func() bool { return server.open.Load() == 0 }, 5*time.Second, 5*time.Millisecond)
}

// failover forwards connections; after cut, those that there are stay open and carry nothing more.
type failover struct {
	address string
	mu      sync.Mutex
	cuts    int
}

func newFailover(t *testing.T, destination string) *failover {
	t.Helper()
	f := new(failover)
	forward := func(to io.Writer, from io.Reader, since int) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			f.mu.Lock()
			alive := f.cuts == since
			f.mu.Unlock()
			if alive {
				_, _ = to.Write(buffer[:n])
			}
			if err != nil {
				return
			}
		}
	}
	f.address = newScript(t, func(conn net.Conn) {
		f.mu.Lock()
		since := f.cuts
		f.mu.Unlock()
		out, err := new(net.Dialer).DialContext(context.WithoutCancel(t.Context()), "tcp", destination)
		if err != nil {
			return
		}
		defer func() { _ = out.Close() }()
		go forward(conn, out, since)
		forward(out, conn, since)
	}).address
	return f
}

func (f *failover) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cuts++
}

// After a failover, the old connections are dead and say nothing. One attempt is lost on them at
// most, however many there are.
func TestSecondAttemptLeavesADeadConnection(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/2 %t", http2), func(t *testing.T) {
			t.Parallel()
			arrived := make(chan struct{}, 8)
			together := make(chan struct{})
			var major atomic.Int32
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				major.Store(int32(r.ProtoMajor))
				if r.Header.Get("X-Together") != "" {
					arrived <- struct{}{}
					<-together
				}
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			roots := x509.NewCertPool()
			roots.AddCert(server.Certificate())
			link := newFailover(t, server.Listener.Addr().String())
			transport := newTransport(newDialer(), nil, "")
			transport.(*way).base.TLSClientConfig = &tls.Config{RootCAs: roots, ServerName: "example.com"}
			send := func(timeout time.Duration, header http.Header) verdict {
				ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
				defer cancel()
				reply, err := post(ctx, transport, Target{URL: "https://" + link.address}, header, []byte("{}"))
				return classify(reply.statusCode, reply.header, err, noon)
			}
			delivered := verdict{outcome: OutcomeDelivered}
			verdicts := make(chan verdict, 4)
			for range cap(verdicts) { // over HTTP/1.1, that many connections
				go func() { verdicts <- send(time.Minute, http.Header{"X-Together": {"yes"}}) }()
			}
			for range cap(verdicts) {
				<-arrived
			}
			close(together)
			for range cap(verdicts) {
				require.Equal(t, delivered, <-verdicts)
			}
			require.Equal(t, map[bool]int32{false: 1, true: 2}[http2], major.Load())

			link.cut()

			require.Equal(t, verdict{outcome: FailureUnavailable, reason: reasonTimeout, retry: true}, send(200*time.Millisecond, http.Header{}))
			require.Equal(t, delivered, send(time.Minute, http.Header{}))
			require.Equal(t, delivered, send(time.Minute, http.Header{}))
		})
	}
}

// net/http sends again what has an idempotency key, when a connection that it kept ends. The budget
// counts requests, so it must not.
func TestNothingIsSentTwiceUnasked(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	server := newScript(t, func(conn net.Conn) {
		for {
			buffer := make([]byte, 4096)
			if n, err := conn.Read(buffer); err != nil || n == 0 {
				return
			}
			if requests.Add(1) > 1 {
				_ = conn.Close()
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	transport := newTransport(newDialer(), nil, "")
	for range 2 {
		_, _ = post(t.Context(), transport, Target{URL: "http://" + server.address}, http.Header{"Idempotency-Key": {"k"}}, []byte("{}"))
	}
	require.EqualValues(t, 2, requests.Load())
}

func TestURLsAreSentAsBrowsersDo(t *testing.T) {
	t.Parallel()
	targets := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { targets <- r.RequestURI }))
	t.Cleanup(server.Close)
	tests := []struct{ give, want string }{
		{"", "/"},
		{"/a b?c d", "/a%20b?c%20d"},
		{"/ü?ü=ü", "/%C3%BC?%C3%BC=%C3%BC"},
		{"/a%2Fb ü", "/a%2Fb%20%C3%BC"},
		{"/a|b{c}\"", "/a%7Cb%7Bc%7D%22"},
		{"?q=\"<>'{|}%zz", "/?q=%22%3C%3E%27{|}%zz"},
		{"/a+b?c+d%20e&f=%2b", "/a+b?c+d%20e&f=%2b"},
		{"/a?b#fragment ü", "/a?b"},
		{"/a ", "/a"},
		{"/a?", "/a?"},
	}
	for _, tt := range tests {
		reply, err := post(t.Context(), newTransport(newDialer(), nil, ""), Target{URL: server.URL + tt.give}, http.Header{}, nil)
		require.NoError(t, err, tt.give)
		require.Equal(t, http.StatusOK, reply.statusCode, tt.give)
		require.Equal(t, tt.want, <-targets)
	}
}

func TestParseURL(t *testing.T) {
	t.Parallel()
	const notURL, noDomain = "the webhook URL is not a URL", "the host of the webhook URL is no domain name"
	tests := []struct{ give, want, wantError string }{
		{"https://example.com/hook?a=b", "https://example.com/hook?a=b", ""},
		{"http://127.0.0.1:9000", "http://127.0.0.1:9000", ""},
		{" https://Bücher.example:8443/x ", "https://xn--bcher-kva.example:8443/x", ""},
		{"https://１２７.0.0.1/", "https://127.0.0.1/", ""},
		{"https://a_ü.example/", "", noDomain},
		{"https://-ü-.example/", "", noDomain},
		{"https://[fe80::1%25ü]/", "", noDomain},
		{"ftp://example.com", "", "the webhook URL must begin with http:// or https://"},
		{"example.com/hook", "", "the webhook URL must begin with http:// or https://"},
		{"https:///hook", "", "the webhook URL has no host"},
		{"https://user:geheim@example.com/", "", "the webhook URL must not contain credentials"},
		{"https://exa mple.com/", "", notURL},
		{"https://example.com/\r\nX-Evil: 1", "", notURL},
	}
	for _, tt := range tests {
		u, err := parseURL(tt.give)
		if tt.wantError != "" {
			require.EqualError(t, err, tt.wantError, tt.give)
			continue
		}
		require.NoError(t, err, tt.give)
		require.Equal(t, tt.want, u.String())
	}
}

func FuzzParseURL(f *testing.F) {
	for _, seed := range []string{"https://example.com/a b?c d", "http://ü.example/ü?ü#ü", "http://[::1]:80/%2F", "https://a/%zz", "http://a\\b/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := parseURL(raw)
		if err != nil {
			return
		}
		for _, r := range u.Host + u.RequestURI() {
			require.True(t, r > ' ' && r < 0x7f, "%q", u)
		}
	})
}

// All ports in use is this worker's trouble; a machine without an address of the kind is not.
func TestNoPortIsNotSent(t *testing.T) {
	t.Parallel()
	err := withoutPort(t.Context(), &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: syscall.EADDRNOTAVAIL})
	require.ErrorIs(t, err, errNoPort)
	require.True(t, classify(0, nil, &sendError{err: err}, noon).notSent)
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9}, Err: syscall.ECONNREFUSED}
	require.Equal(t, error(refused), withoutPort(t.Context(), refused))
}

func TestNothingIsSentWhenTheContextIsDone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := post(ctx, newTransport(newDialer(), nil, ""), Target{URL: "http://127.0.0.1:1"}, http.Header{}, nil)
	require.True(t, classify(0, nil, err, noon).notSent)
}

func compressed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.String()
}
