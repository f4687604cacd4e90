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
	wanted, err := ParseJob(body)
	if err != nil {
		return respond.NewError(http.StatusBadRequest, err.Error())
	}
	job, err := a.deliveries.StartJob(r.Context(), wanted)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, job)
	return nil
}

// jobs serves GET /api/redeliveries.
func (a *API) jobs(w http.ResponseWriter, r *http.Request) error {
	limit, cursor, err := parsePage(r.URL.RawQuery)
	if err != nil {
		return respond.NewError(http.StatusBadRequest, err.Error())
	}
	page, err := a.deliveries.Jobs(r.Context(), limit, cursor)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, page)
	return nil
}

// job serves GET /api/redeliveries/{id}.
func (a *API) job(w http.ResponseWriter, r *http.Request) error {
	job, err := a.deliveries.Job(r.Context(), unescape(mux.Vars(r)["id"]))
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, job)
	return nil
}

// cancelJob serves DELETE /api/redeliveries/{id}.
func (a *API) cancelJob(w http.ResponseWriter, r *http.Request) error {
	job, err := a.deliveries.CancelJob(r.Context(), unescape(mux.Vars(r)["id"]))
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, job)
	return nil
}
