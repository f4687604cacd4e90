package activities

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/internal/codec"
)

// Failure types of SendWebhook, as the Temporal UI shows them. The first two are retried, the
// others are final.
const (
	// FailureUnavailable is a network error, a timeout or a 5xx.
	FailureUnavailable = "Unavailable"
	// FailureRateLimited is a 429.
	FailureRateLimited = "RateLimited"
	// FailureRejected is a 4xx other than 429: sending the same again is pointless. So it is for
	// what could not stand in a header.
	FailureRejected = "Rejected"
	// FailureRedirected is a 3xx, which is not followed: a followed POST becomes an empty GET.
	FailureRedirected = "Redirected"
	// FailureAddressForbidden is an address that Courier does not connect to: loopback, private and
	// the like, unless the destination allows it; or a URL that cannot be used.
	FailureAddressForbidden = "AddressForbidden"
	// FailureDestinationUnknown is a destination that the configuration of the worker does not
	// hold, or whose sealed secret it cannot open.
	FailureDestinationUnknown = "DestinationUnknown"
)

// Failure types of an execution of SendWebhook that made no request. They are outcomes of no
// attempt.
const (
	// FailureHeld ends the activity, because the deliveries to the destination are held. The
	// workflow waits for the release, and then sends.
	FailureHeld = "Held"
	// FailureCancelled ends the activity, because its delivery was cancelled before the request.
	FailureCancelled = "Cancelled"
	// FailureNoTurn is retried: the destination's limits left no turn.
	FailureNoTurn = "NoTurn"
	// FailureNotSent is retried: this worker or Temporal was not up to it.
	FailureNotSent = "NotSent"
	// FailureUnreadable is retried: the worker lacks the key of its input.
	FailureUnreadable = codec.FailureUnreadable
)

// finalFailures end the activity.
var finalFailures = []string{
	FailureRejected, FailureRedirected, FailureAddressForbidden, FailureDestinationUnknown, FailureHeld, FailureCancelled,
}

// verdict is what one attempt came to.
type verdict struct {
	// outcome is OutcomeDelivered or a failure type.
	outcome string
	// reason says it in words; empty when delivered.
	reason string
	// retry is whether a further attempt may help.
	retry bool
	// retryAfter is the wait that the destination asked for, 0 when it did not.
	retryAfter time.Duration
	// notSent is whether no request was made, for a reason of this worker's own.
	notSent bool
}

// classify decides what an attempt came to: the reply's status and headers decide when err is nil,
// otherwise err, the transport's error, does. It reads no clock; now is for a Retry-After that is a
// date.
func classify(statusCode int, header http.Header, err error, now time.Time) verdict {
	if err != nil {
		return classifyError(err)
	}
	reason := strings.TrimSpace(fmt.Sprintf("%d %s", statusCode, http.StatusText(statusCode)))
	switch {
	case statusCode >= 200 && statusCode <= 299:
		return verdict{outcome: OutcomeDelivered}
	case statusCode == http.StatusTooManyRequests:
		return verdict{outcome: FailureRateLimited, reason: reason, retry: true, retryAfter: retryAfter(header, now)}
	case statusCode >= 500:
		return verdict{outcome: FailureUnavailable, reason: reason, retry: true, retryAfter: retryAfter(header, now)}
	case statusCode >= 300 && statusCode <= 399:
		return verdict{outcome: FailureRedirected, reason: reason + "; redirects are not followed, give the final URL"}
	case statusCode < 200:
		return verdict{outcome: FailureRejected, reason: reason + "; a webhook is answered with a final status, such as 200"}
	default:
		return verdict{outcome: FailureRejected, reason: reason}
	}
}

// retryAfter reads the Retry-After header (RFC 9110, section 10.2.3): seconds or a date. What is
// neither, or lies in the past, counts as absent.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := strings.TrimSpace(header.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(0, date.Sub(now))
	}
	return 0
}
