package ingress

import (
	"net/http"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

// choose is where an event goes: to its installation's own webhook when GitBook's switch is on, and
// to every configured destination whose filters match. The switches do not gate the latter. A fetch
// event goes to configured destinations alone.
func (in *Ingress) choose(i incoming) ([]deliveries.NewDelivery, error) {
	delivery := deliveries.NewDelivery{Event: i.event, Installation: i.installation, Fetch: i.fetch, Reason: deliveries.ReasonEvent, AcceptedAt: in.now()}
	var chosen []deliveries.NewDelivery
	if _, listed := in.config.Installation(i.installation); listed && i.fetch == nil {
		if webhook, ok := i.environment.Webhook(i.event.Type); ok {
			if !config.ValidInstallationID(i.installation) {
				return nil, respond.NewError(http.StatusBadRequest, "environment.installation.id: must be 1 to 128 visible ASCII characters without / and @")
			}
			own := delivery
			own.Webhook = &webhook
			chosen = append(chosen, own)
		}
	}
	for _, d := range in.config.Destinations {
		if d.Wants(i.event) {
			configured := delivery
			configured.Destination = d.Name
			chosen = append(chosen, configured)
		}
	}
	return chosen, nil
}
