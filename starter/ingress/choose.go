package ingress

import (
	"fmt"
	"net/http"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
	"github.com/gitbook-courier/courier/workflows"
)

// choose is where an event goes: to its installation's own webhook when
// GitBook's switch is on, and to every configured destination whose filters
// match. The switches do not gate the latter.
func (in *Ingress) choose(event gitbook.Event, installation string, environment gitbook.Environment) ([]deliveries.NewDelivery, error) {
	var chosen []deliveries.NewDelivery
	add := func(name, displayURL string, d config.Destination, sealed []byte) {
		input := workflows.DeliveryInput{
			Webhook:    activities.Webhook{Destination: name, EventID: event.ID, Sealed: sealed},
			Reason:     workflows.ReasonEvent,
			EventType:  event.Type,
			AcceptedAt: in.now().UTC(),
		}
		chosen = append(chosen, deliveries.NewDelivery{
			Input:        deliveries.Configure(in.config, input, d, displayURL),
			Event:        gitbook.Redact(event.Raw(), d.Redact),
			Installation: installation,
			Space:        event.SpaceID,
			Site:         event.SiteID,
		})
	}
	if _, listed := in.config.Installation(installation); listed {
		if webhook, ok := environment.Webhook(event.Type); ok {
			if !config.ValidInstallationID(installation) {
				return nil, respond.NewError(http.StatusBadRequest, "environment.installation.id: must be 1 to 128 visible ASCII characters without / and @")
			}
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
