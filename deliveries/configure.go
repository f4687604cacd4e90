package deliveries

import (
	"time"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

// configure returns input with the schedule, the timeouts and the notice that the configuration has
// for its destination d.
func (s *Store) configure(input workflows.DeliveryInput, d config.Destination) workflows.DeliveryInput {
	input.TimeoutMs = d.Timeout.Milliseconds()
	input.RetriesMs = milliseconds(d.Retries)
	input.RetryAfterMaxMs = d.RetryAfterMax.Milliseconds()
	input.Limited = d.Limited()
	input.UnknownPatienceMs = s.config().UnknownPatience.Milliseconds()
	input.Notify = s.noticeTo(d.Notify)
	// 0.2 decided here who takes the express lane; now the workflow does.
	input.Express = false
	return input
}

// noticeTo is the start of the input of a notice to the destination with that name; nil when there
// is none.
func (s *Store) noticeTo(name string) *workflows.DeliveryInput {
	d, ok := s.config().Destination(name)
	if !ok {
		return nil
	}
	d.Notify = "" // a notice gives no notice
	notice := s.configure(workflows.DeliveryInput{URL: config.DisplayURL(d.URL.Reveal())}, d)
	notice.Destination = d.Name
	return &notice
}

// refresh returns the input of an earlier run as the configuration would have it today. An
// installation's webhook, and a destination that is gone, stay as they were.
func (s *Store) refresh(input workflows.DeliveryInput) workflows.DeliveryInput {
	d, ok := s.config().Resolve(input.Destination)
	if !ok {
		input.Express = false
		return input
	}
	input.URL = config.DisplayURL(d.URL.Reveal())
	return s.configure(input, d)
}

func milliseconds(durations []time.Duration) []int64 {
	ms := make([]int64, len(durations))
	for i, d := range durations {
		ms[i] = d.Milliseconds()
	}
	return ms
}
