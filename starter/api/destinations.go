package api

import (
	"context"
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/gorilla/mux"
	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
	"github.com/gitbook-courier/courier/workflows"
)

// figuresSpan is how far back the figures of a destination reach.
const figuresSpan = time.Hour

// active is the state of a destination that is not held.
const active = "active"

// destination is a configured destination, as the API shows it.
type destination struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Events are the types that it takes.
	Events []string `json:"events"`
	// State is active, paused, failing (held because it has been), or releasing
	// while what was held goes out.
	State     string     `json:"state"`
	HeldSince *time.Time `json:"heldSince,omitempty"`
	// Delivered and Undelivered count the deliveries that closed in the last hour.
	Delivered   int64 `json:"delivered"`
	Undelivered int64 `json:"undelivered"`
	// Waiting counts those that are not over.
	Waiting int64 `json:"waiting"`
	// LastError is of the last hour too.
	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
}

// listDestinations serves GET /api/destinations.
func (a *API) listDestinations(w http.ResponseWriter, r *http.Request) error {
	all := make([]destination, len(a.config.Destinations))
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(4)
	for i, d := range a.config.Destinations {
		group.Go(func() error {
			figures, err := a.store.Figures(ctx, d.Name, a.now().Add(-figuresSpan))
			all[i] = show(d, figures)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, map[string][]destination{"destinations": all})
	return nil
}

func show(d config.Destination, f deliveries.Figures) destination {
	shown := destination{
		Name: d.Name, URL: config.DisplayURL(d.URL.Reveal()), Events: d.Events, State: active,
		Delivered: f.Recent.Delivered, Undelivered: f.Recent.Undelivered, Waiting: f.Waiting,
		LastError: f.LastError, LastErrorAt: f.LastErrorAt,
	}
	if f.Hold.State != "" {
		shown.State, shown.HeldSince = f.Hold.Reason, &f.Hold.Since
		if f.Hold.State == workflows.HoldStateReleasing {
			shown.State = workflows.HoldStateReleasing
		}
	}
	return shown
}

// known is the configured destination that a path names.
func (a *API) known(r *http.Request) (config.Destination, error) {
	d, ok := a.config.Destination(mux.Vars(r)["name"])
	if !ok {
		return d, respond.NewError(http.StatusNotFound, "no such destination; it must be one of the configuration's destinations")
	}
	return d, nil
}

// pause serves POST /api/destinations/{name}/pause.
func (a *API) pause(w http.ResponseWriter, r *http.Request) error {
	return a.onDestination(w, r, a.store.Pause, workflows.HoldPaused)
}

// resume serves POST /api/destinations/{name}/resume.
func (a *API) resume(w http.ResponseWriter, r *http.Request) error {
	return a.onDestination(w, r, a.store.Resume, workflows.HoldStateReleasing)
}

// test serves POST /api/destinations/{name}/test: it sends a sample of every
// event type that the destination takes, as a delivery like any other.
func (a *API) test(w http.ResponseWriter, r *http.Request) error {
	d, err := a.known(r)
	if err != nil {
		return err
	}
	var sent []done
	for _, eventType := range d.Events {
		event, err := gitbook.ParseEvent(gitbook.Sample(eventType, "test_"+uuid.NewString()))
		if err != nil {
			return err
		}
		input := workflows.DeliveryInput{
			Webhook:    activities.Webhook{Destination: d.Name, EventID: event.ID},
			Reason:     workflows.ReasonTest,
			EventType:  eventType,
			AcceptedAt: a.now().UTC(),
		}
		delivery := deliveries.NewDelivery{
			Input: deliveries.Configure(a.config, input, d, config.DisplayURL(d.URL.Reveal())), Event: event.Raw(),
			Installation: event.InstallationID, Space: event.SpaceID, Site: event.SiteID,
		}
		if _, err := a.store.Start(r.Context(), delivery); err != nil {
			return err
		}
		sent = append(sent, done{Destination: d.Name, EventID: event.ID})
	}
	respond.JSON(w, http.StatusAccepted, map[string][]done{"deliveries": sent})
	return nil
}

// onDestination does something to a destination, and shows it in the state that
// it is about to have: the hold may not have heard yet.
func (a *API) onDestination(w http.ResponseWriter, r *http.Request, act func(context.Context, string) error, state string) error {
	d, err := a.known(r)
	if err != nil {
		return err
	}
	if err := act(r.Context(), d.Name); err != nil {
		return err
	}
	figures, err := a.store.Figures(r.Context(), d.Name, a.now().Add(-figuresSpan))
	if err != nil {
		return err
	}
	shown := show(d, figures)
	shown.State = state
	respond.JSON(w, http.StatusAccepted, shown)
	return nil
}
