// Package api is the HTTP room where operators look at deliveries and send them again. It knows how
// to ask the store, not how Temporal keeps them.
package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

// Deliveries are what the API asks about deliveries and bulk redeliveries;
// *deliveries.Store is one. Its errors are those of package deliveries.
type Deliveries interface {
	List(ctx context.Context, f deliveries.Filter, limit int, cursor string) (deliveries.Page, error)
	Get(ctx context.Context, destination, eventID string) (deliveries.Delivery, error)
	EventOf(ctx context.Context, destination, eventID string) (event []byte, isJSON bool, err error)
	Redeliver(ctx context.Context, destination, eventID string) (runID string, err error)
	Retry(ctx context.Context, destination, eventID string) error
	Cancel(ctx context.Context, destination, eventID string) error
	SendSamples(ctx context.Context, destination string) ([]deliveries.Key, error)
	StartJob(ctx context.Context, n deliveries.NewJob) (deliveries.Job, error)
	Jobs(ctx context.Context, limit int, cursor string) (deliveries.JobPage, error)
	Job(ctx context.Context, id string) (deliveries.Job, error)
	CancelJob(ctx context.Context, id string) (deliveries.Job, error)
}

// Destinations are what the API asks about destinations; *deliveries.Holds is one. Its errors are
// those of package deliveries.
type Destinations interface {
	All(ctx context.Context) ([]deliveries.Destination, error)
	Pause(ctx context.Context, name string) (deliveries.Destination, error)
	Resume(ctx context.Context, name string) (deliveries.Destination, error)
}

// Figures are what the API asks about the past; *deliveries.Figures is one. Its errors are those of
// package deliveries.
type Figures interface {
	Hours(ctx context.Context, destination string) ([]deliveries.Hour, error)
}

// API serves what operators see of deliveries and do to them.
type API struct {
	deliveries   Deliveries
	destinations Destinations
	figures      Figures
	log          *slog.Logger
}

// NewAPI makes the API's handlers. It does no I/O.
func NewAPI(d Deliveries, destinations Destinations, figures Figures, log *slog.Logger) *API {
	return &API{deliveries: d, destinations: destinations, figures: figures, log: log}
}

// Register registers the API's routes below /api.
func (a *API) Register(r *mux.Router) {
	route := func(path, method string, h respond.Handler) {
		r.Handle(path, respond.Methods(a.log, map[string]http.Handler{method: a.handle(h)}))
	}
	const one = "/api/deliveries/{destination}/{eventId}"
	route("/api/deliveries", http.MethodGet, a.list)
	route(one, http.MethodGet, a.get)
	route(one+"/event", http.MethodGet, a.event)
	route(one+"/redeliver", http.MethodPost, a.redeliver)
	route(one+"/retry", http.MethodPost, a.retry)
	route(one+"/cancel", http.MethodPost, a.cancel)
	r.Handle("/api/redeliveries", respond.Methods(a.log, map[string]http.Handler{
		http.MethodGet: a.handle(a.jobs), http.MethodPost: a.handle(a.redeliverMany),
	}))
	r.Handle("/api/redeliveries/{id}", respond.Methods(a.log, map[string]http.Handler{
		http.MethodGet: a.handle(a.job), http.MethodDelete: a.handle(a.cancelJob),
	}))
	route("/api/destinations", http.MethodGet, a.listDestinations)
	route("/api/destinations/{name}/hours", http.MethodGet, a.hours)
	route("/api/destinations/{name}/pause", http.MethodPost, a.pause)
	route("/api/destinations/{name}/resume", http.MethodPost, a.resume)
	route("/api/destinations/{name}/test", http.MethodPost, a.test)
}

// apiTimeout bounds the work of one request.
const apiTimeout = 15 * time.Second

// handle serves h within the time that a request has. A name that is too long to be one is unknown,
// and Temporal is not asked for it.
func (a *API) handle(h respond.Handler) http.Handler {
	return respond.Handle(a.log, Explain(func(w http.ResponseWriter, r *http.Request) error {
		for _, name := range mux.Vars(r) {
			if len(unescape(name)) > maxFilter {
				return respond.NewError(http.StatusNotFound, "no such name; none is longer than 255 characters")
			}
		}
		ctx, cancel := context.WithTimeout(r.Context(), apiTimeout)
		defer cancel()
		return h(w, r.WithContext(ctx))
	}))
}

// Explain turns what can go wrong with a delivery into an answer.
func Explain(h respond.Handler) respond.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		err := h(w, r)
		switch {
		case errors.Is(err, deliveries.ErrUnknown), errors.Is(err, deliveries.ErrJobUnknown), errors.Is(err, deliveries.ErrDestinationUnknown):
			return respond.NewError(http.StatusNotFound, err.Error())
		case errors.Is(err, deliveries.ErrKeyMissing):
			return &respond.Error{Status: http.StatusInternalServerError, Message: deliveries.ErrKeyMissing.Error(), Cause: err}
		case errors.Is(err, deliveries.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
			return &respond.Error{Status: http.StatusServiceUnavailable, Message: "Temporal cannot be reached", Cause: err}
		case errors.Is(err, deliveries.ErrCursor):
			return respond.NewError(http.StatusBadRequest, "cursor "+err.Error())
		}
		if state, ok := errors.AsType[*deliveries.StateError](err); ok {
			return respond.NewError(http.StatusConflict, state.Reason)
		}
		if filter, ok := errors.AsType[*deliveries.FilterError](err); ok {
			return respond.NewError(http.StatusBadRequest, filter.Error())
		}
		return err
	}
}

// list serves GET /api/deliveries.
func (a *API) list(w http.ResponseWriter, r *http.Request) error {
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return respond.NewError(http.StatusBadRequest, err.Error())
	}
	page, err := a.deliveries.List(r.Context(), query.Filter, query.Limit, query.Cursor)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, page)
	return nil
}

// get serves GET /api/deliveries/{destination}/{eventId}.
func (a *API) get(w http.ResponseWriter, r *http.Request) error {
	destination, eventID := address(r)
	delivery, err := a.deliveries.Get(r.Context(), destination, eventID)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusOK, delivery)
	return nil
}

// event serves GET /api/deliveries/{destination}/{eventId}/event.
func (a *API) event(w http.ResponseWriter, r *http.Request) error {
	destination, eventID := address(r)
	event, isJSON, err := a.deliveries.EventOf(r.Context(), destination, eventID)
	if err != nil {
		return err
	}
	// It may hold a visitor's data, and is nothing that a browser should make a page of.
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	mediaType := "application/json"
	if !isJSON {
		mediaType = "application/octet-stream"
	}
	respond.Bytes(w, mediaType, event)
	return nil
}

// done is the answer to an action on a delivery.
type done struct {
	Destination string `json:"destination"`
	EventID     string `json:"eventId"`
	RunID       string `json:"runId,omitempty"`
}

// redeliver serves POST /api/deliveries/{destination}/{eventId}/redeliver.
func (a *API) redeliver(w http.ResponseWriter, r *http.Request) error {
	destination, eventID := address(r)
	runID, err := a.deliveries.Redeliver(r.Context(), destination, eventID)
	if err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, done{destination, eventID, runID})
	return nil
}

// retry serves POST /api/deliveries/{destination}/{eventId}/retry.
func (a *API) retry(w http.ResponseWriter, r *http.Request) error {
	destination, eventID := address(r)
	if err := a.deliveries.Retry(r.Context(), destination, eventID); err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, done{Destination: destination, EventID: eventID})
	return nil
}

// cancel serves POST /api/deliveries/{destination}/{eventId}/cancel.
func (a *API) cancel(w http.ResponseWriter, r *http.Request) error {
	destination, eventID := address(r)
	if err := a.deliveries.Cancel(r.Context(), destination, eventID); err != nil {
		return err
	}
	respond.JSON(w, http.StatusAccepted, done{Destination: destination, EventID: eventID})
	return nil
}

// address is the delivery that a path names. The router matches the path as it was sent, so that an
// event id may contain an encoded slash.
func address(r *http.Request) (destination, eventID string) {
	vars := mux.Vars(r)
	return unescape(vars["destination"]), unescape(vars["eventId"])
}

func unescape(segment string) string {
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}
