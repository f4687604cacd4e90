package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

const (
	maxJobBody       = 16 << 10
	defaultPerSecond = 50
	maxPerSecond     = 1000
)

// jobRequest is the body of POST /api/redeliveries.
type jobRequest struct {
	Destination string `json:"destination"`
	Type        string `json:"type"`
	// Status is delivered, undelivered or cancelled. Defaults to undelivered.
	Status string `json:"status"`
	// Since and Until bound when the deliveries' latest run started.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	// DryRun counts, but sends nothing.
	DryRun bool `json:"dryRun"`
	// PerSecond bounds how many deliveries are started in a second: 1 to 1000.
	// Defaults to 50.
	PerSecond int `json:"perSecond"`
}

// redeliverMany serves POST /api/redeliveries.
func (a *API) redeliverMany(w http.ResponseWriter, r *http.Request) error {
	wanted, err := parseJob(http.MaxBytesReader(w, r.Body, maxJobBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return respond.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("body is larger than %d bytes", maxJobBody))
	case err != nil:
		return respond.NewError(http.StatusBadRequest, err.Error())
	}
	job, err := a.deliveries.StartJob(r.Context(), wanted)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, job)
	return nil
}

// errJobBody is a body that is not what it should be.
var errJobBody = errors.New("body must be one JSON object with any of destination, type, status, since, until, dryRun and perSecond")

// parseJob reads the body of POST /api/redeliveries.
func parseJob(body io.Reader) (deliveries.NewJob, error) {
	request := &jobRequest{Status: string(deliveries.Undelivered), PerSecond: defaultPerSecond}
	decoder := json.NewDecoder(body)
	decoder.DisallowUnknownFields()
	err := decoder.Decode(&request)
	var (
		wrongType *json.UnmarshalTypeError
		wrongTime *time.ParseError
		tooLarge  *http.MaxBytesError
	)
	switch {
	case errors.As(err, &tooLarge):
		return deliveries.NewJob{}, err
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return deliveries.NewJob{}, fmt.Errorf("%s is of the wrong type", wrongType.Field)
	case errors.As(err, &wrongTime):
		return deliveries.NewJob{}, fmt.Errorf("%q is not a time such as 2026-01-31T15:04:05Z", strings.Trim(wrongTime.Value, `"`))
	case err != nil && strings.HasPrefix(err.Error(), unknownField):
		return deliveries.NewJob{}, fmt.Errorf("%s is not a field; %w", strings.TrimPrefix(err.Error(), unknownField), errJobBody)
	case err != nil, request == nil, decoder.More():
		return deliveries.NewJob{}, errJobBody
	}
	return request.job()
}

// unknownField begins the error of encoding/json for which it has no type.
const unknownField = "json: unknown field "

func (r jobRequest) job() (deliveries.NewJob, error) {
	over := []deliveries.Status{deliveries.Delivered, deliveries.Undelivered, deliveries.Cancelled}
	switch {
	case !slices.Contains(over, deliveries.Status(r.Status)):
		return deliveries.NewJob{}, fmt.Errorf("status must be one of %s; others are not over", names(over))
	case r.PerSecond < 1 || r.PerSecond > maxPerSecond:
		return deliveries.NewJob{}, fmt.Errorf("perSecond must be 1 to %d", maxPerSecond)
	case !r.Until.IsZero() && !r.Since.Before(r.Until):
		return deliveries.NewJob{}, errors.New("since must be before until")
	}
	return deliveries.NewJob{
		Destination: r.Destination, Type: r.Type, Status: deliveries.Status(r.Status),
		Since: r.Since, Until: r.Until, DryRun: r.DryRun, PerSecond: r.PerSecond,
	}, nil
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
