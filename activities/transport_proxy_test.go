package activities

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// passage is a proxy that takes every name for one destination, or refuses everything with a
// status.
type passage struct {
	destination string // host:port
	refuse      int

	mu   sync.Mutex
	seen []string // method, target and credentials of each request
}

func (p *passage) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.seen...)
}

func (p *passage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	user, password, _ := (&http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}).BasicAuth()
	p.mu.Lock()
	p.seen = append(p.seen, fmt.Sprintf("%s %s %s:%s", r.Method, r.RequestURI, user, password))
	p.mu.Unlock()
	switch {
	case p.refuse != 0:
		w.WriteHeader(p.refuse)
	case r.Method == http.MethodConnect:
		// Taken over first, so that nothing of what follows is read before.
		conn, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
			p.join(r.Context(), conn)
		}
	default:
		p.forward(w, r)
	}
}

func (p *passage) forward(w http.ResponseWriter, r *http.Request) {
	out, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+p.destination+r.URL.RequestURI(), r.Body)
	if err != nil {
		return
	}
	out.Header = r.Header.Clone()
	out.Header.Del("Proxy-Authorization")
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(out)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

// join carries bytes between a client and the destination until either ends.
func (p *passage) join(ctx context.Context, client net.Conn) {
	defer func() { _ = client.Close() }()
	destination, err := new(net.Dialer).DialContext(ctx, "tcp", p.destination)
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(destination, client)
		_ = destination.Close()
	}()
	_, _ = io.Copy(client, destination)
}

// socks serves SOCKS5 (RFC 1928, and RFC 1929 for the credentials) and joins like the HTTP proxy.
func (p *passage) socks(t *testing.T) (address string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go p.socksConn(t.Context(), conn)
		}
	}()
	return listener.Addr().String()
}

func (p *passage) socksConn(ctx context.Context, conn net.Conn) {
	read := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(conn, b)
		return b
	}
	text := func() string { return string(read(int(read(1)[0]))) }
	read(int(read(2)[1]))           // the methods that are offered
	_, _ = conn.Write([]byte{5, 2}) // user name and password
	read(1)                         // their version
	user, password := text(), text()
	_, _ = conn.Write([]byte{1, 0})
	kind := read(4)[3]
	host, port := text(), read(2)
	p.mu.Lock()
	p.seen = append(p.seen, fmt.Sprintf("SOCKS%d %s:%d %s:%s", kind, host, int(port[0])<<8|int(port[1]), user, password))
	p.mu.Unlock()
	_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	p.join(ctx, conn)
}

// proxyURL is the URL of a proxy at an address, with credentials.
func proxyURL(scheme, address string) string { return scheme + "://courier:geheim@" + address }

func hostOf(t *testing.T, raw string) string {
	t.Helper()
	u, err := url.Parse(raw)
	require.NoError(t, err)
	return u.Host
}

// tlsReceiver answers over TLS, as example.com; roots trust it.
func tlsReceiver(t *testing.T) (address string, roots *tls.Config) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	return server.Listener.Addr().String(), &tls.Config{RootCAs: pool}
}

func trust(transport http.RoundTripper, roots *tls.Config) http.RoundTripper {
	transport.(*proxyTransport).base.TLSClientConfig = roots
	return transport
}

func deliver(t *testing.T, transport http.RoundTripper, target string) (verdict, reply) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	reply, err := post(ctx, transport, Target{URL: target}, http.Header{"X-Team": {"docs"}}, []byte(`{"a":"<b>"}`))
	return classify(reply.statusCode, reply.header, err, noon), reply
}

func TestPublicDestinationsAreReachedThroughTheProxy(t *testing.T) {
	t.Parallel()
	delivered := verdict{outcome: OutcomeDelivered}
	t.Run("http", func(t *testing.T) {
		t.Parallel()
		receiver := hooktest.New(t)
		p := &passage{destination: hostOf(t, receiver.URL)}
		proxy := httptest.NewServer(p)
		t.Cleanup(proxy.Close)
		transport := newTransport(newDialer(), newGuard(), proxyURL("http", proxy.Listener.Addr().String()))

		got, _ := deliver(t, transport, "http://hooks.example/in?a=b")

		require.Equal(t, delivered, got)
		require.Equal(t, []string{"POST http://hooks.example/in?a=b courier:geheim"}, p.requests())
		request := receiver.Requests()[0]
		require.Equal(t, `{"a":"<b>"}`, string(request.Body))
		require.Equal(t, "docs", request.Header.Get("X-Team"))
	})
	t.Run("https", func(t *testing.T) {
		t.Parallel()
		address, roots := tlsReceiver(t)
		p := &passage{destination: address}
		proxy := httptest.NewServer(p)
		t.Cleanup(proxy.Close)
		transport := newTransport(newDialer(), newGuard(), proxyURL("http", proxy.Listener.Addr().String()))

		got, reply := deliver(t, trust(transport, roots), "https://example.com/in")
		require.Equal(t, delivered, got)
		require.Equal(t, `{"a":"<b>"}`, reply.excerpt)
		require.Equal(t, []string{"CONNECT example.com:443 courier:geheim"}, p.requests())

		got, _ = deliver(t, transport, "https://other.example/in")
		require.Equal(t, FailureUnavailable, got.outcome)
		require.True(t, got.retry)
		require.Contains(t, got.reason, reasonTLSName, "the destination's own certificate is verified")
	})
	t.Run("https, through a proxy over TLS", func(t *testing.T) {
		t.Parallel()
		address, roots := tlsReceiver(t)
		p := &passage{destination: address}
		proxy := httptest.NewUnstartedServer(p)
		proxy.EnableHTTP2 = true
		proxy.StartTLS()
		t.Cleanup(proxy.Close)
		transport := newTransport(newDialer(), newGuard(), proxyURL("https", proxy.Listener.Addr().String()))

		got, _ := deliver(t, trust(transport, roots), "https://example.com/in")

		require.Equal(t, delivered, got)
		require.Equal(t, []string{"CONNECT example.com:443 courier:geheim"}, p.requests())
	})
	t.Run("SOCKS5", func(t *testing.T) {
		t.Parallel()
		address, roots := tlsReceiver(t)
		p := &passage{destination: address}
		transport := newTransport(newDialer(), newGuard(), proxyURL("socks5", p.socks(t)))

		got, _ := deliver(t, trust(transport, roots), "https://example.com/in")

		require.Equal(t, delivered, got)
		require.Equal(t, []string{"SOCKS3 example.com:443 courier:geheim"}, p.requests(), "type 3 is a name, which the proxy resolves")
	})
}

func TestProxyIsNotAskedForAddressesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	p := &passage{refuse: http.StatusTeapot}
	proxy := httptest.NewServer(p)
	t.Cleanup(proxy.Close)
	transport := newTransport(newDialer(), newGuard(), proxyURL("http", proxy.Listener.Addr().String()))
	hosts := append([]string{"-bücher-.example", "127.0.0.1"}, oddHosts...)
	for _, addresses := range notPublic {
		for _, address := range addresses {
			hosts = append(hosts, map[bool]string{true: "[" + address + "]", false: address}[strings.Contains(address, ":")])
		}
	}
	for _, host := range hosts {
		for _, scheme := range []string{"http", "https"} {
			got, _ := deliver(t, transport, scheme+"://"+host+"/")
			require.Equal(t, FailureAddressForbidden, got.outcome, "%s: %s", host, got.reason)
			require.False(t, got.retry)
		}
	}
	require.Empty(t, p.requests())
}

func TestFailuresOfTheProxyAreRetriedAndNameIt(t *testing.T) {
	t.Parallel()
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	refusing := func(status int) string {
		proxy := httptest.NewServer(&passage{refuse: status})
		t.Cleanup(proxy.Close)
		return proxy.Listener.Addr().String()
	}
	tests := []struct {
		name       string
		giveScheme string
		giveProxy  string
		giveTarget string
		want       string
	}{
		{"credentials refused, http", "http", refusing(407), "http://hooks.example/", "it answered 407 Proxy Authentication Required"},
		{"credentials refused, https", "http", refusing(407), "https://hooks.example/", "it answered 407 Proxy Authentication Required"},
		{"destination refused, https", "http", refusing(403), "https://hooks.example/", "it answered 403 Forbidden"},
		{"destination unreachable, https", "http", refusing(502), "https://hooks.example/", "it answered 502 Bad Gateway"},
		{"an odd status, https", "http", refusing(299), "https://hooks.example/", "it answered 299"},
		{"unreachable, http", "http", closed.Addr().String(), "http://hooks.example/", reasonRefused + " (ADDRESS)"},
		{"unreachable, https", "http", closed.Addr().String(), "https://hooks.example/", reasonRefused + " (ADDRESS)"},
		{"unreachable, SOCKS5", "socks5", closed.Addr().String(), "https://hooks.example/", reasonRefused + " (ADDRESS)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			transport := newTransport(newDialer(), newGuard(), proxyURL(tt.giveScheme, tt.giveProxy))
			got, _ := deliver(t, transport, tt.giveTarget)
			reason := "through the egress proxy " + tt.giveScheme + "://" + tt.giveProxy + ": " + strings.ReplaceAll(tt.want, "ADDRESS", tt.giveProxy)
			require.Equal(t, verdict{outcome: FailureUnavailable, reason: reason, retry: true}, got)
		})
	}
}

// The answer of a destination, through the proxy, is its own.
func TestAnswersThroughTheProxyAreTheDestinations(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusProxyAuthRequired)
	}))
	t.Cleanup(server.Close)
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	proxy := httptest.NewServer(&passage{destination: server.Listener.Addr().String()})
	t.Cleanup(proxy.Close)
	transport := trust(newTransport(newDialer(), newGuard(), proxyURL("http", proxy.Listener.Addr().String())), &tls.Config{RootCAs: pool})

	got, _ := deliver(t, transport, "https://example.com/")

	require.Equal(t, verdict{outcome: FailureRejected, reason: "407 Proxy Authentication Required"}, got)
}

func TestDestinationsInsideAreReachedDirectly(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	p := &passage{refuse: http.StatusTeapot}
	proxy := httptest.NewServer(p)
	t.Cleanup(proxy.Close)
	a := New(Options{EgressProxy: proxyURL("http", proxy.Listener.Addr().String())})

	got, _ := deliver(t, a.transport(Target{AllowPrivate: true}), receiver.URL)
	require.Equal(t, verdict{outcome: OutcomeDelivered}, got)
	require.Empty(t, p.requests())

	_, _ = deliver(t, a.transport(Target{}), "http://hooks.example/")
	require.Len(t, p.requests(), 1)
}

func TestProxysPasswordIsNotShown(t *testing.T) {
	t.Parallel()
	a := New(Options{EgressProxy: "http://courier:geheim@proxy.example:3128"})
	require.NotContains(t, fmt.Sprintf("%v %+v %#v", a, a, a.Options), "geheim")
	require.PanicsWithValue(t, "activities: the egress proxy is not a URL with a host", func() { New(Options{EgressProxy: "http://courier:geheim%zz@"}) })
}

// Without a proxy of its own, Courier takes none from the environment.
func TestProxiesOfTheEnvironmentDoNotCount(t *testing.T) {
	t.Parallel()
	for _, transport := range []http.RoundTripper{newTransport(newDialer(), nil, ""), newTransport(newDialer(), newGuard(), "")} {
		require.Nil(t, transport.(*way).base.Proxy)
	}
}
