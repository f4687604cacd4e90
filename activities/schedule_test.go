package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
)

var gitBookRetries = []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}

func TestRetryPolicy(t *testing.T) {
	t.Parallel()
	require.Equal(t, &temporal.RetryPolicy{
		InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: time.Minute,
		NonRetryableErrorTypes: []string{"Rejected", "Redirected", "AddressForbidden", "DestinationUnknown", "Held", "Cancelled"},
	}, RetryPolicy())
}

// The policy that Temporal applies by itself and the waits that SendWebhook asks for must be the
// same schedule.
func TestDelayWithoutJitterIsThePolicy(t *testing.T) {
	t.Parallel()
	policy := RetryPolicy()
	interval := policy.InitialInterval
	for _, wait := range gitBookRetries {
		require.Equal(t, interval, delay(wait, 0, 0, 0))
		interval = min(time.Duration(float64(interval)*policy.BackoffCoefficient), policy.MaximumInterval)
	}
}

func TestDelay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name           string
		giveScheduled  time.Duration
		giveRetryAfter time.Duration
		giveRandom     float64
		want           time.Duration
	}{
		{"no jitter", time.Second, 0, 0, time.Second},
		{"half the jitter", 2 * time.Second, 0, 0.5, 2100 * time.Millisecond},
		{"nearly all the jitter", 4 * time.Second, 0, 0.999999, 4399999600 * time.Nanosecond},
		{"Retry-After lengthens", time.Second, 30 * time.Second, 0, 30 * time.Second},
		{"Retry-After never shortens", 4 * time.Second, time.Second, 0.5, 4200 * time.Millisecond},
		{"Retry-After is capped", time.Second, time.Hour, 0, time.Minute},
		{"the cap does not cut the schedule", time.Hour, 2 * time.Hour, 0, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, delay(tt.giveScheduled, tt.giveRetryAfter, time.Minute, tt.giveRandom))
		})
	}
}
