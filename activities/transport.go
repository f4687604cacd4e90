package activities

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

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

// newClient makes the HTTP client for one kind of destination. Connections
// are pooled by client, so a connection to a private address that one
// destination allows can never serve another that does not.
func newClient(allowPrivate bool) *http.Client {
	dialer := &net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}
	if !allowPrivate {
		// Control sees the address after name resolution, for every
		// connection, so a name that changes its answer gains nothing.
		dialer.Control = ssrf.New(ssrf.WithAnyPort()).Safe
	}
	return &http.Client{
		Transport: &http.Transport{
			DialContext:            dialer.DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConns:           512,
			MaxIdleConnsPerHost:    64,
			IdleConnTimeout:        90 * time.Second,
			MaxResponseHeaderBytes: maxReplyRead,
			// The excerpt of the reply should be what the destination wrote,
			// and no small reply should unfold into a large one.
			DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkURL refuses what Courier never sends to, whoever configured it.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
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

// reply is what came back of a request.
type reply struct {
	statusCode int
	header     http.Header
	excerpt    string
}

// post sends the request and reads the reply within bounds. An error means
// that there was no reply; what goes wrong with the body of one does not count.
func post(ctx context.Context, client *http.Client, target Target, header http.Header, body []byte) (reply, error) {
	if err := checkURL(target.URL); err != nil {
		return reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.URL, bytes.NewReader(body))
	if err != nil {
		return reply{}, &addressError{"the webhook URL is not a URL"}
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	head, _ := io.ReadAll(io.LimitReader(resp.Body, maxReplyKept))
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, maxReplyRead-maxReplyKept))
	return reply{resp.StatusCode, resp.Header, strings.ToValidUTF8(string(head), "�")}, nil
}
