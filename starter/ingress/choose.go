package ingress

import (
	"fmt"
	"time"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/deliveries"
	"github.com/gitbook-courier/courier/workflows"
)

// choose is where an event goes: to its installation's own webhook when
// GitBook's switch is on, and to every configured destination whose filters
// match. The switches do not gate the latter.
func (in *Ingress) choose(event gitbook.Event, installation string, environment gitbook.Environment) ([]deliveries.New, error) {
	var chosen []deliveries.New
	add := func(name, displayURL string, d config.Destination, sealed []byte) {
		chosen = append(chosen, deliveries.New{
			Input: workflows.DeliveryInput{
				SendWebhookInput: activities.SendWebhookInput{
					Destination:     name,
					EventID:         event.ID,
					Sealed:          sealed,
					TimeoutMs:       d.Timeout.Milliseconds(),
					RetriesMs:       milliseconds(d.Retries),
					RetryAfterMaxMs: d.RetryAfterMax.Milliseconds(),
				},
				EventType:  event.Type,
				URL:        displayURL,
				AcceptedAt: in.now().UTC(),
			},
			Event:        event.Raw(),
			Installation: installation,
			Space:        event.SpaceID,
			Site:         event.SiteID,
		})
	}
	if _, listed := in.config.Installation(installation); listed {
		if webhook, ok := environment.Webhook(event.Type); ok {
			name := workflows.InstallationDestination(installation)
			sealed, err := activities.SealWebhook(in.keys, workflows.DeliveryID(event.ID, name), webhook)
			if err != nil {
				return nil, fmt.Errorf("seal the installation's webhook: %w", err)
			}
			add(name, config.DisplayURL(webhook.URL), config.DefaultDestination(), sealed)
		}
	}
	for _, d := range in.config.Destinations {
		if d.Wants(event.Type, event.SpaceID, event.SiteID) {
			add(d.Name, config.DisplayURL(d.URL.Reveal()), d, nil)
		}
	}
	return chosen, nil
}

func milliseconds(durations []time.Duration) []int64 {
	ms := make([]int64, len(durations))
	for i, d := range durations {
		ms[i] = d.Milliseconds()
	}
	return ms
}
