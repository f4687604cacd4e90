package activities

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
)

// The schedule is one fact, in this file: the policy that Temporal applies by
// itself, and the wait that SendWebhook asks for instead, because a Temporal
// policy knows neither jitter nor Retry-After nor a list of waits.

const (
	backoffCoefficient = 2
	// maxJitter is GitBook's: each wait is lengthened by 0 to 10 % of itself.
	maxJitter = 0.1
)

// RetryPolicy is the policy of SendWebhook for a destination with these waits
// between its attempts: one attempt more than there are waits. Its intervals
// serve when no worker could ask for a wait (a crash, a timeout of the whole
// activity); otherwise the failure's next-retry delay takes their place.
func RetryPolicy(retries []time.Duration) *temporal.RetryPolicy {
	policy := &temporal.RetryPolicy{
		InitialInterval:        time.Second,
		BackoffCoefficient:     backoffCoefficient,
		MaximumAttempts:        int32(len(retries)) + 1,
		NonRetryableErrorTypes: slices.Clone(finalFailures),
	}
	if len(retries) > 0 {
		policy.InitialInterval = retries[0]
		policy.MaximumInterval = slices.Max(retries)
	}
	return policy
}

// delay is the wait after an attempt: the scheduled one, lengthened by random
// (in [0, 1)) times the greatest jitter, or what the destination asked for by
// Retry-After, up to limit, when that is longer.
func delay(scheduled, retryAfter, limit time.Duration, random float64) time.Duration {
	jitter := time.Duration(random * maxJitter * float64(scheduled))
	return max(scheduled+jitter, min(retryAfter, limit))
}
