package activities

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"code.dny.dev/ssrf"
)

const (
	// maxReplyRead bounds what is read of a reply, so that a connection can be
	// used again without a destination being able to keep the worker busy.
	maxReplyRead = 64 << 10
	// maxReplyKept bounds what is kept of a reply in the attempt log.
	maxReplyKept = 1 << 10
)

// addressError refuses a URL before anything is dialled.
type addressError struct{ reason string }

func (e *addressError) Error() string { return e.reason }

// headerError refuses a header before anything is dialled.
type headerError struct{ name string }

func (e *headerError) Error() string {
	return fmt.Sprintf("the header %q holds a line break or another control character", e.name)
}

func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
}

// newTransport makes the way to one kind of destination: those that may
// have any address when guard is nil, otherwise those that must have a public
// one. Requests go through the proxy unless it is empty; the connection to it
// is not guarded. The proxies of the environment do not count.
//
// It is used without an http.Client, which would follow redirects, and take one
// whose Location is no URL for no reply at all.
//
// Connections are pooled by transport, so a connection to a private address that
// one destination allows can never serve another that does not.
func newTransport(dialer *net.Dialer, guard *ssrf.Guardian, proxy string) http.RoundTripper {
	transport := &http.Transport{
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxReplyRead,
		// The excerpt of the reply should be what the destination wrote,
		// and no small reply should unfold into a large one.
		DisableCompression: true,
	}
	switch {
	case proxy != "":
		return newProxyTransport(transport, guard, proxy)
	case guard != nil:
		transport.DialContext = guardedDial(dialer, guard)
	}
	return transport
}

// checkURL refuses what Courier never sends to, whoever configured it.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil, strings.ContainsFunc(raw, unicode.IsControl):
		return &addressError{"the webhook URL is not a URL"}
	case u.Scheme != "http" && u.Scheme != "https":
		return &addressError{"the webhook URL must begin with http:// or https://"}
	case u.Hostname() == "":
		return &addressError{"the webhook URL has no host"}
	case u.User != nil:
		return &addressError{"the webhook URL must not contain credentials"}
	}
	return nil
}

// checkHeader refuses what would end a header's line or hide in it.
func checkHeader(header http.Header) error {
	for name, values := range header {
		for _, text := range append([]string{name}, values...) {
			if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
				return &headerError{name}
			}
		}
	}
	return nil
}

// reply is what came back of a request.
type reply struct {
	statusCode int
	header     http.Header
	excerpt    string
}

// post sends the request and reads the reply within bounds. An error means
// that there was no reply; what goes wrong with the body of one does not count.
func post(ctx context.Context, transport http.RoundTripper, target Target, header http.Header, body []byte) (reply, error) {
	if err := checkURL(target.URL); err != nil {
		return reply{}, err
	}
	if err := checkHeader(header); err != nil {
		return reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL, bytes.NewReader(body))
	if err != nil {
		return reply{}, &addressError{"the webhook URL is not a URL"}
	}
	req.Header = header
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	body, _ = io.ReadAll(io.LimitReader(resp.Body, maxReplyRead))
	return reply{resp.StatusCode, resp.Header, target.excerpt(body)}, nil
}
