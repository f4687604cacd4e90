package store

import (
	"time"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

// Configure returns input with what the configuration says of its destination.
func Configure(input workflows.DeliveryInput, d config.Destination, displayURL string) workflows.DeliveryInput {
	input.URL = displayURL
	input.TimeoutMs = d.Timeout.Milliseconds()
	input.RetriesMs = milliseconds(d.Retries)
	input.RetryAfterMaxMs = d.RetryAfterMax.Milliseconds()
	return input
}

// Refresh returns the input of an earlier run as the configuration would have
// it today. An installation's webhook, and a destination that is gone, stay as
// they were.
func Refresh(c config.Config, input workflows.DeliveryInput) workflows.DeliveryInput {
	for _, d := range c.Destinations {
		if d.Name == input.Destination {
			return Configure(input, d, config.DisplayURL(d.URL.Reveal()))
		}
	}
	return input
}

func milliseconds(durations []time.Duration) []int64 {
	ms := make([]int64, len(durations))
	for i, d := range durations {
		ms[i] = d.Milliseconds()
	}
	return ms
}
