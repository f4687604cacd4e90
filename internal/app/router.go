package app

import (
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/starter/access"
	"github.com/gitbook-courier/courier/starter/answer"
	"github.com/gitbook-courier/courier/starter/codec"
	"github.com/gitbook-courier/courier/starter/deliveries"
	"github.com/gitbook-courier/courier/starter/ingress"
	"github.com/gitbook-courier/courier/starter/openapi"
)

// newRouter is every route of the starter, on one screen; those below /api are
// in deliveries.API.Register. The fixed paths come before /{version}, which
// matches any single segment.
func newRouter(c config.Config, in *ingress.Ingress, api *deliveries.API, payloads *codec.Server, ready readiness, l limits, log *slog.Logger) *mux.Router {
	// Events and operators have lines of their own, so that neither locks the
	// other out. Who shows no token does not get that far.
	events := newLine(l.events, l, log, "raise max_requests")
	operators := newLine(l.operators, l, log, "ask for less at once")
	event := func(h http.Handler) http.Handler {
		return access.Require(log, c.Access.ForEvents(), access.EventKeys, events.guard(h))
	}
	operator := func(h http.Handler) http.Handler {
		return access.Require(log, c.Access.ForAPI(), access.APIKeys, operators.guard(h))
	}
	get := func(h answer.Handler) http.Handler {
		return answer.Methods(log, map[string]http.Handler{http.MethodGet: answer.Handle(log, h)})
	}

	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.Handle("/healthz", get(healthz))
	r.Handle("/readyz", get(readyz(ready)))
	r.Handle("/openapi.yaml", get(openapi.Get))
	r.PathPrefix("/api/").Handler(operator(operatorAPI(api, log)))
	r.Handle(codec.DecodePath, payloads.Decode(operator))
	r.Handle(codec.EncodePath, payloads.Encode(operator))
	r.Handle("/webhooks/{source}", in.Relay(events.guard))
	r.Handle("/{version}", in.Runtime(event))
	r.NotFoundHandler = notFound(log)
	return r
}

// operatorAPI is every route below /api, which tokens guard as a whole.
func operatorAPI(api *deliveries.API, log *slog.Logger) *mux.Router {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	api.Register(r)
	r.NotFoundHandler = notFound(log)
	return r
}

func notFound(log *slog.Logger) http.Handler {
	return answer.Handle(log, func(http.ResponseWriter, *http.Request) error {
		return answer.NewError(http.StatusNotFound, "no such route")
	})
}

// healthz serves GET /healthz: the process answers.
func healthz(w http.ResponseWriter, _ *http.Request) error {
	answer.Text(w, http.StatusOK, "OK")
	return nil
}

// readyz serves GET /readyz: Temporal can be reached, so events can be stored.
func readyz(ready readiness) answer.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := ready(r.Context()); err != nil {
			return answer.NewError(http.StatusServiceUnavailable, "Temporal cannot be reached")
		}
		answer.Text(w, http.StatusOK, "OK")
		return nil
	}
}
