package ingress

import (
	"net/http"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
)

// choose is where an event goes: to its installation's own webhook when GitBook's switch is on, and
// to every configured destination whose filters match. The switches do not gate the latter.
func (in *Ingress) choose(event gitbook.Event, installation string, environment gitbook.Environment) ([]deliveries.NewDelivery, error) {
	delivery := deliveries.NewDelivery{Event: event, Installation: installation, Reason: deliveries.ReasonEvent, AcceptedAt: in.now()}
	var chosen []deliveries.NewDelivery
	if _, listed := in.config.Installation(installation); listed {
		if webhook, ok := environment.Webhook(event.Type); ok {
			if !config.ValidInstallationID(installation) {
				return nil, respond.NewError(http.StatusBadRequest, "environment.installation.id: must be 1 to 128 visible ASCII characters without / and @")
			}
			own := delivery
			own.Webhook = &webhook
			chosen = append(chosen, own)
		}
	}
	for _, d := range in.config.Destinations {
		if d.Wants(event) {
			configured := delivery
			configured.Destination = d.Name
			chosen = append(chosen, configured)
		}
	}
	return chosen, nil
}
