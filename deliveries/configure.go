package deliveries

import (
	"time"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

// Configure returns input with what the configuration says of its destination
// d, whose URL is shown as displayURL.
func Configure(c config.Config, input workflows.DeliveryInput, d config.Destination, displayURL string) workflows.DeliveryInput {
	input.URL = displayURL
	input.TimeoutMs = d.Timeout.Milliseconds()
	input.RetriesMs = milliseconds(d.Retries)
	input.RetryAfterMaxMs = d.RetryAfterMax.Milliseconds()
	input.Limited = d.Limited()
	input.Notify = NoticeTo(c, d.Notify)
	return input
}

// NoticeTo is the start of the input of a notice to the destination with that
// name; nil when there is none.
func NoticeTo(c config.Config, name string) *workflows.DeliveryInput {
	d, ok := c.Destination(name)
	if !ok {
		return nil
	}
	d.Notify = "" // a notice gives no notice
	notice := Configure(c, workflows.DeliveryInput{}, d, config.DisplayURL(d.URL.Reveal()))
	notice.Destination = d.Name
	return &notice
}

// refresh returns the input of an earlier run as the configuration would have
// it today. An installation's webhook, and a destination that is gone, stay as
// they were.
func refresh(c config.Config, input workflows.DeliveryInput) workflows.DeliveryInput {
	if d, ok := c.Destination(input.Destination); ok {
		return Configure(c, input, d, config.DisplayURL(d.URL.Reveal()))
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
