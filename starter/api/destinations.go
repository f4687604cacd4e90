package api

import (
	"context"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

// listDestinations serves GET /api/destinations.
func (a *API) listDestinations(w http.ResponseWriter, r *http.Request) error {
	all, err := a.destinations.All(r.Context())
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, map[string][]deliveries.Destination{"destinations": all})
	return nil
}

// hours serves GET /api/destinations/{name}/hours.
func (a *API) hours(w http.ResponseWriter, r *http.Request) error {
	hours, err := a.figures.Hours(r.Context(), unescape(mux.Vars(r)["name"]))
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, map[string][]deliveries.Hour{"hours": hours})
	return nil
}

// pause serves POST /api/destinations/{name}/pause.
func (a *API) pause(w http.ResponseWriter, r *http.Request) error {
	return onDestination(w, r, a.destinations.Pause)
}

// resume serves POST /api/destinations/{name}/resume.
func (a *API) resume(w http.ResponseWriter, r *http.Request) error {
	return onDestination(w, r, a.destinations.Resume)
}

// onDestination acts on the destination that a path names, and shows it in the state that it is
// about to have.
func onDestination(w http.ResponseWriter, r *http.Request, act func(context.Context, string) (deliveries.Destination, error)) error {
	shown, err := act(r.Context(), unescape(mux.Vars(r)["name"]))
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, shown)
	return nil
}

// test serves POST /api/destinations/{name}/test: it sends a sample of every event type that the
// destination takes, as a delivery like any other.
func (a *API) test(w http.ResponseWriter, r *http.Request) error {
	sent, err := a.deliveries.SendSamples(r.Context(), unescape(mux.Vars(r)["name"]))
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, map[string][]deliveries.Key{"deliveries": sent})
	return nil
}
