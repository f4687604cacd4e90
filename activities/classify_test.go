package activities

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
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
		{101, final(FailureRejected, "101 Switching Protocols; a webhook is answered with a final status, such as 200")},
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
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443}, Err: err}
	}
	errno := func(call string, errno syscall.Errno) error { return os.NewSyscallError(call, errno) }
	retried := func(reason string) verdict {
		return verdict{outcome: FailureUnavailable, reason: reason, retry: true}
	}
	notSent := func(reason string) verdict {
		return verdict{outcome: FailureUnavailable, reason: reason, retry: true, notSent: true}
	}
	lookup := func(text string) error { return &net.DNSError{Err: text, Name: "hooks.example", Server: "geheim"} }
	tests := []struct {
		name      string
		give      error
		giveStage stage
		want      verdict
	}{
		{"refused connection", dial(errno("connect", syscall.ECONNREFUSED)), stageBefore, retried(reasonRefused + " (192.0.2.1:443)")},
		{"no route", dial(errno("connect", syscall.EHOSTUNREACH)), stageBefore, retried(reasonNoRoute + " (192.0.2.1:443)")},
		{"no network", dial(errno("connect", syscall.ENETUNREACH)), stageBefore, retried(reasonNoRoute + " (192.0.2.1:443)")},
		{"firewall", dial(errno("connect", syscall.EPERM)), stageBefore, retried(reasonNotPermitted + " (192.0.2.1:443)")},
		{"no address of its own", dial(errno("connect", syscall.EADDRNOTAVAIL)), stageBefore, retried(reasonNoAddress + " (192.0.2.1:443)")},
		{"odd dial", dial(errors.New("geheim")), stageBefore, retried(reasonConnect + " (192.0.2.1:443)")},
		{"slow dial", dial(os.ErrDeadlineExceeded), stageBefore, retried(reasonTimeoutConnect)},
		{"dial that the kernel gave up", dial(errno("connect", syscall.ETIMEDOUT)), stageBefore, retried(reasonTimeoutConnect)},
		{"no descriptor", dial(errno("socket", syscall.EMFILE)), stageBefore, notSent(reasonNoDescriptor)},
		{"no descriptor in the system", dial(errno("socket", syscall.ENFILE)), stageBefore, notSent(reasonNoDescriptor)},
		{"no buffer", dial(errno("socket", syscall.ENOBUFS)), stageBefore, notSent(reasonNoMemory)},
		{"no memory", dial(errno("socket", syscall.ENOMEM)), stageBefore, notSent(reasonNoMemory)},
		{"no port", errNoPort, stageBefore, notSent(reasonNoPort)},
		{"no descriptor for the proxy", &net.OpError{Op: "proxyconnect", Net: "tcp", Err: dial(errno("socket", syscall.EMFILE))}, stageBefore, notSent(reasonNoDescriptor)},
		{"no descriptor for the lookup", dial(lookup("dial udp 127.0.0.53:53: socket: too many open files")), stageBefore, notSent(reasonNoDescriptor)},
		{"no port for the lookup", lookup("dial udp 127.0.0.53:53: connect: cannot assign requested address"), stageBefore, notSent(reasonNoPort)},
		{"no descriptor for the authorities", x509.SystemRootsError{Err: syscall.EMFILE}, stageTLS, notSent(reasonNoDescriptor)},
		{"no authorities", x509.SystemRootsError{Err: os.ErrPermission}, stageTLS, notSent(reasonNoRoots)},
		{"no buffer on an open connection", &net.OpError{Op: "write", Net: "tcp", Err: errno("write", syscall.ENOBUFS)}, stageRequest, retried(reasonOther)},
		{"unknown host", &net.DNSError{Err: "no such host", Name: "hooks.invalid", IsNotFound: true}, stageBefore, retried(reasonNoSuchHost)},
		{"slow lookup", &net.DNSError{Err: "i/o timeout", Name: "hooks.invalid", IsTimeout: true}, stageBefore, retried(reasonDNSTimeout)},
		{"broken lookup", lookup("geheim"), stageBefore, retried(reasonDNS)},
		{"timeout", context.DeadlineExceeded, stageRequest, retried("no answer within the timeout")},
		{"timeout of the connection", os.ErrDeadlineExceeded, stageRequest, retried("no answer within the timeout")},
		{"timeout of TLS", context.DeadlineExceeded, stageConnected, retried(reasonTimeoutTLS)},
		{"worker stopped", context.Canceled, stageRequest, retried(reasonStopped)},
		{"worker stopped before", context.Canceled, stageBefore, notSent(reasonStoppedBefore)},
		{"worker stopped in the handshake", context.Canceled, stageConnected, notSent(reasonStoppedBefore)},
		{"connection closed", io.EOF, stageRequest, retried(reasonClosed)},
		{"connection reset", &net.OpError{Op: "read", Net: "tcp", Err: errno("read", syscall.ECONNRESET)}, stageRequest, retried(reasonReset)},
		{"anything", errors.New("geheim"), stageRequest, retried(reasonOther)},
		{
			"private address", dial(fmt.Errorf("%w: 10.0.0.1", ssrf.ErrProhibitedIP)), stageBefore,
			verdict{outcome: FailureAddressForbidden, reason: reasonForbidden + " (192.0.2.1:443)"},
		},
		{"refused URL", &addressError{"the webhook URL has no host"}, stageBefore, verdict{outcome: FailureAddressForbidden, reason: "the webhook URL has no host"}},
		{"refused header", errors.New(`net/http: invalid header field name "geheim"`), stageBefore, verdict{outcome: FailureRejected, reason: reasonHeader}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := classify(0, nil, &sendError{err: tt.give, stage: tt.giveStage, isTLS: true}, noon)
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
