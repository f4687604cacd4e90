package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"code.dny.dev/ssrf"
	"github.com/stretchr/testify/require"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestClassifyStatus(t *testing.T) {
	t.Parallel()
	retried := func(outcome, reason string) verdict { return verdict{outcome: outcome, reason: reason, retry: true} }
	final := func(outcome, reason string) verdict { return verdict{outcome: outcome, reason: reason} }
	redirected := func(reason string) verdict {
		return final(FailureRedirected, reason+"; redirects are not followed, give the final URL")
	}
	tests := []struct {
		giveStatus int
		want       verdict
	}{
		{200, verdict{outcome: OutcomeDelivered}},
		{201, verdict{outcome: OutcomeDelivered}},
		{204, verdict{outcome: OutcomeDelivered}},
		{299, verdict{outcome: OutcomeDelivered}},
		{101, final(FailureRejected, "101 Switching Protocols")},
		{300, redirected("300 Multiple Choices")},
		{301, redirected("301 Moved Permanently")},
		{304, redirected("304 Not Modified")},
		{307, redirected("307 Temporary Redirect")},
		{399, redirected("399")},
		{400, final(FailureRejected, "400 Bad Request")},
		{401, final(FailureRejected, "401 Unauthorized")},
		{404, final(FailureRejected, "404 Not Found")},
		{408, final(FailureRejected, "408 Request Timeout")},
		{410, final(FailureRejected, "410 Gone")},
		{425, final(FailureRejected, "425 Too Early")},
		{429, retried(FailureRateLimited, "429 Too Many Requests")},
		{499, final(FailureRejected, "499")},
		{500, retried(FailureUnavailable, "500 Internal Server Error")},
		{501, retried(FailureUnavailable, "501 Not Implemented")},
		{503, retried(FailureUnavailable, "503 Service Unavailable")},
		{599, retried(FailureUnavailable, "599")},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.giveStatus), func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, classify(tt.giveStatus, http.Header{}, nil, noon))
		})
	}
}

func TestClassifyError(t *testing.T) {
	t.Parallel()
	inURL := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://example.com/hook?key=geheim", Err: err}
	}
	tests := []struct {
		name string
		give error
		want verdict
	}{
		{
			"refused connection", inURL(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}),
			verdict{outcome: FailureUnavailable, reason: "dial tcp: connect: connection refused", retry: true, retryAfter: 0},
		},
		{
			"unknown host", inURL(&net.DNSError{Err: "no such host", Name: "hooks.invalid", IsNotFound: true}),
			verdict{outcome: FailureUnavailable, reason: "lookup hooks.invalid: no such host", retry: true, retryAfter: 0},
		},
		{
			"timeout", inURL(context.DeadlineExceeded),
			verdict{outcome: FailureUnavailable, reason: "no answer within the timeout", retry: true, retryAfter: 0},
		},
		{
			"timeout of the connection", inURL(os.ErrDeadlineExceeded),
			verdict{outcome: FailureUnavailable, reason: "no answer within the timeout", retry: true, retryAfter: 0},
		},
		{
			"worker stopped", inURL(context.Canceled),
			verdict{outcome: FailureUnavailable, reason: "the worker was stopped during the request", retry: true, retryAfter: 0},
		},
		{
			"connection closed", inURL(errors.New("EOF")),
			verdict{outcome: FailureUnavailable, reason: "EOF", retry: true, retryAfter: 0},
		},
		{
			"private address", inURL(&net.OpError{Op: "dial", Net: "tcp", Err: fmt.Errorf("%w: 10.0.0.1", ssrf.ErrProhibitedIP)}),
			verdict{outcome: FailureAddressForbidden, reason: "the address is private or reserved; set allow_private to permit it: dial tcp: prohibited IP address: 10.0.0.1", retry: false, retryAfter: 0},
		},
		{
			"refused URL", checkURL("ftp://example.com/"),
			verdict{outcome: FailureAddressForbidden, reason: "the webhook URL must begin with http:// or https://", retry: false, retryAfter: 0},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := classify(0, nil, tt.give, noon)
			require.Equal(t, tt.want, got)
			require.NotContains(t, got.reason, "geheim")
		})
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give string
		want time.Duration
	}{
		{"", 0},
		{"0", 0},
		{"7", 7 * time.Second},
		{" 7 ", 7 * time.Second},
		{"-7", 0},
		{"1.5", 0},
		{"soon", 0},
		{"99999999999999999999", 0},
		{"Wed, 04 Mar 2026 12:00:30 GMT", 30 * time.Second},
		{"Wed, 04 Mar 2026 11:00:00 GMT", 0},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Retry-After": {tt.give}}
			require.Equal(t, tt.want, classify(429, header, nil, noon).retryAfter)
			require.Equal(t, tt.want, classify(503, header, nil, noon).retryAfter)
			require.Zero(t, classify(404, header, nil, noon).retryAfter)
		})
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give string
		want string
	}{
		{"https://example.com/hook?a=b", ""},
		{"http://127.0.0.1:9000", ""},
		{"ftp://example.com", "the webhook URL must begin with http:// or https://"},
		{"file:///etc/passwd", "the webhook URL must begin with http:// or https://"},
		{"example.com/hook", "the webhook URL must begin with http:// or https://"},
		{"https:///hook", "the webhook URL has no host"},
		{"https://user:geheim@example.com/", "the webhook URL must not contain credentials"},
		{"https://exa mple.com/", "the webhook URL is not a URL"},
		{"https://example.com/\r\nX-Evil: 1", "the webhook URL is not a URL"},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			err := checkURL(tt.give)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
}
