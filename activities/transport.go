package activities

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"

	"code.dny.dev/ssrf"
)

const (
	// maxReplyRead bounds what is read of a reply, so that a connection can be used again without a
	// destination keeping the worker busy.
	maxReplyRead = 64 << 10
	// maxReplyKept bounds what is kept of a reply in the attempt log.
	maxReplyKept = 1 << 10
	// maxIdle is for how long a connection without a request is kept.
	maxIdle = 90 * time.Second
	// graceAfterTimeout is for how long an attempt outlives its timeout at most: the transport ends
	// by itself, unless it waits for a peer that reads nothing.
	graceAfterTimeout = 500 * time.Millisecond
)

// headerError refuses a header before anything is dialled.
type headerError struct{ name string }

func (e *headerError) Error() string {
	return fmt.Sprintf("the header %q holds a line break or another control character", e.name)
}

func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
}

// newTransport makes the way to one kind of destination: those that may have any address when guard
// is nil, otherwise those that must have a public one. Requests go through the proxy unless it is
// empty; the connection to it is not guarded. The proxies of the environment do not count.
//
// It is used without an http.Client, which would follow redirects, and take one whose Location is
// no URL for no reply at all.
//
// Connections are pooled by transport, so a connection to a private address that one destination
// allows can never serve another that does not.
func newTransport(dialer *net.Dialer, guard *ssrf.Guardian, proxy string) http.RoundTripper {
	transport := &http.Transport{
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           512,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        maxIdle,
		MaxResponseHeaderBytes: maxReplyRead,
		// The excerpt of the reply should be what the destination wrote, and no small reply should
		// unfold into a large one.
		DisableCompression: true,
		// A connection whose other end has vanished shows nothing of it. A ping finds out.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 10 * time.Second},
	}
	if proxy != "" {
		transport.DialContext = tracked(dialer.DialContext)
		return newProxyTransport(transport, guard, proxy)
	}
	if guard != nil {
		transport.DialContext = tracked(guardedDial(dialer, guard))
	} else {
		transport.DialContext = tracked(dialer.DialContext)
	}
	return newWay(transport)
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

// post sends the request and reads the reply within bounds, until ctx is done. An error means that
// there was no reply; what goes wrong with the body of one does not count.
func post(ctx context.Context, transport http.RoundTripper, target Target, header http.Header, body []byte) (reply, error) {
	u, err := parseURL(target.URL)
	if err != nil {
		return reply{}, err
	}
	if err := checkHeader(header); err != nil {
		return reply{}, err
	}
	if ctx.Err() != nil {
		return reply{}, &sendError{err: context.Canceled, stage: stageBefore}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return reply{}, &addressError{"the webhook URL is not a URL"}
	}
	req.Header = once(header)
	got := within(ctx, func() answer {
		resp, err := transport.RoundTrip(req) //nolint:bodyclose // it is closed below, or by discard
		return answer{resp, err}
	}, answer.discard)
	switch {
	case got == nil:
		return reply{}, &sendError{err: ctx.Err(), stage: stageRequest}
	case got.err != nil:
		return reply{}, got.err
	}
	resp := got.resp
	if resp.StatusCode < 100 || resp.StatusCode > 999 { // HTTP/2 takes any number
		answer.discard(*got)
		return reply{}, &sendError{err: errNotHTTP, stage: stageRequest}
	}
	beginning := within(ctx, func() []byte {
		defer resp.Body.Close()
		if resp.StatusCode == http.StatusSwitchingProtocols {
			return nil // The body would be the bare connection, which knows no timeout.
		}
		read, _ := io.ReadAll(io.LimitReader(resp.Body, maxReplyRead))
		return read
	}, nil)
	came := reply{statusCode: resp.StatusCode, header: resp.Header}
	if beginning != nil {
		came.excerpt = target.excerpt(*beginning, resp.Header, header)
	}
	return came, nil
}

// once is the header of a request that must be sent once only. To net/http an idempotency key
// allows it to send again unasked; it knows one by its canonical name alone.
func once(header http.Header) http.Header {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := header[name]; ok {
			header = header.Clone()
			delete(header, name)
			header[strings.ToLower(name)] = values
		}
	}
	return header
}

// answer is what a transport returned.
type answer struct {
	resp *http.Response
	err  error
}

// discard closes the body of a reply that nobody reads.
func (a answer) discard() {
	if a.resp != nil {
		_ = a.resp.Body.Close()
	}
}

// within is the result of f, or nil when f goes on for longer than ctx and a grace. What f returns
// then goes to late, unless that is nil.
func within[T any](ctx context.Context, f func() T, late func(T)) *T {
	done := make(chan T, 1)
	go func() { done <- f() }()
	select {
	case result := <-done:
		return &result
	case <-ctx.Done():
	}
	grace := time.NewTimer(graceAfterTimeout)
	defer grace.Stop()
	select {
	case result := <-done:
		return &result
	case <-grace.C:
	}
	if late != nil {
		go func() { late(<-done) }()
	}
	return nil
}
