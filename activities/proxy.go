package activities

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"code.dny.dev/ssrf"
)

// proxyTransport sends requests through the egress proxy, which resolves the names, so of the
// address behind a name nothing is known here.
type proxyTransport struct {
	*way
	guard *ssrf.Guardian
	// name is the proxy's URL without its credentials.
	name string
}

// newProxyTransport makes transport go through the proxy. It panics when the URL cannot be used,
// which the configuration's validation has refused.
func newProxyTransport(transport *http.Transport, guard *ssrf.Guardian, proxy string) *proxyTransport {
	u, err := url.Parse(proxy)
	if err != nil || u.Hostname() == "" {
		panic("activities: the egress proxy is not a URL with a host") // without the URL, which is a secret
	}
	transport.Proxy = http.ProxyURL(u)
	transport.OnProxyConnectResponse = func(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
		if resp.StatusCode != http.StatusOK {
			return proxyStatusError(resp.StatusCode)
		}
		return nil
	}
	// To such a proxy, HTTP/2 would be agreed on and HTTP/1.1 spoken.
	transport.ForceAttemptHTTP2 = u.Scheme != "https"
	return &proxyTransport{way: newWay(transport), guard: guard, name: (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()}
}

// RoundTrip sends one request. Its errors name the proxy.
func (t *proxyTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := checkHost(t.guard, req.URL.Hostname()); err != nil {
		_ = req.Body.Close()
		return nil, err
	}
	resp, err := t.way.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusProxyAuthRequired && req.URL.Scheme == "http" {
		// Without a tunnel the proxy answers in the destination's place.
		_ = resp.Body.Close()
		err = &sendError{err: proxyStatusError(resp.StatusCode), stage: stageRequest}
	}
	if err != nil {
		return nil, &proxyError{proxy: t.name, err: err}
	}
	return resp, nil
}

// proxyError is what went wrong on the way through the egress proxy.
type proxyError struct {
	proxy string
	err   error
}

func (e *proxyError) Error() string { return e.prefix() + e.err.Error() }
func (e *proxyError) Unwrap() error { return e.err }

func (e *proxyError) prefix() string { return "through the egress proxy " + e.proxy + ": " }

// proxyStatusError is the status by which the proxy refused a request. Of its answer, nothing else
// is shown.
type proxyStatusError int

func (e proxyStatusError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("it answered %d %s", int(e), http.StatusText(int(e))))
}
