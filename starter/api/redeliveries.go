package api

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/starter/respond"
)

// redeliverMany serves POST /api/redeliveries.
func (a *API) redeliverMany(w http.ResponseWriter, r *http.Request) error {
	body, err := jobBody.ReadAll(w, r)
	if err != nil {
		return err
	}
	input, err := parseJob(body, a.now())
	if err != nil {
		return respond.NewError(http.StatusBadRequest, err.Error())
	}
	if err := a.checkKnown(r.Context(), input.Destination); err != nil {
		return err
	}
	if err := a.store.StartJob(r.Context(), input); err != nil {
		return err
	}
	job, err := a.store.Job(r.Context(), input.ID)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, job)
	return nil
}

// job serves GET /api/redeliveries/{id}.
func (a *API) job(w http.ResponseWriter, r *http.Request) error {
	job, err := a.store.Job(r.Context(), unescape(mux.Vars(r)["id"]))
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, job)
	return nil
}

// cancelJob serves DELETE /api/redeliveries/{id}.
func (a *API) cancelJob(w http.ResponseWriter, r *http.Request) error {
	id := unescape(mux.Vars(r)["id"])
	if err := a.store.CancelJob(r.Context(), id); err != nil {
		return err
	}
	job, err := a.store.Job(r.Context(), id)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, job)
	return nil
}
