package activities

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
)

// The schedule is one fact, in this file: the policy that Temporal applies by itself, and the wait
// that SendWebhook asks for instead, because a Temporal policy knows neither jitter nor Retry-After
// nor a list of waits.

const (
	// maxJitter is GitBook's: each wait is lengthened by 0 to 10 % of itself.
	maxJitter = 0.1
	// maxInterval bounds the wait after an execution that was lost.
	maxInterval = time.Minute
)

// RetryPolicy is the policy of SendWebhook. It has no maximum, because Temporal counts executions
// and the schedule counts requests: the activity ends it by a final failure. Its intervals are
// GitBook's. They serve when no worker could ask for a wait (a crash, a missing key); otherwise the
// failure's next-retry delay takes their place.
func RetryPolicy() *temporal.RetryPolicy {
	return &temporal.RetryPolicy{
		InitialInterval:        time.Second,
		BackoffCoefficient:     2,
		MaximumInterval:        maxInterval,
		NonRetryableErrorTypes: slices.Clone(finalFailures),
	}
}

// delay is the wait after an attempt: the scheduled one, lengthened by random (in [0, 1)) times the
// greatest jitter, or what the destination asked for by Retry-After, up to limit, when that is
// longer.
func delay(scheduled, retryAfter, limit time.Duration, random float64) time.Duration {
	jitter := time.Duration(random * maxJitter * float64(scheduled))
	return max(scheduled+jitter, min(retryAfter, limit))
}
