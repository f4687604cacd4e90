package app

import (
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/starter/access"
	"github.com/gitbook-courier/courier/starter/answer"
	"github.com/gitbook-courier/courier/starter/deliveries"
	"github.com/gitbook-courier/courier/starter/ingress"
	"github.com/gitbook-courier/courier/starter/openapi"
)

// newRouter is every route of the starter, on one screen; those below /api are
// in deliveries.API.Register. The fixed paths come before /{version}, which
// matches any single segment.
func newRouter(c config.Config, in *ingress.Ingress, api *deliveries.API, ready readiness, log *slog.Logger) *mux.Router {
	tokens := make([]string, len(c.Access.Tokens))
	for i, token := range c.Access.Tokens {
		tokens[i] = token.Reveal()
	}
	get := func(h answer.Handler) http.Handler {
		return answer.Methods(log, map[string]http.Handler{http.MethodGet: answer.Handle(log, h)})
	}

	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.Handle("/healthz", get(healthz))
	r.Handle("/readyz", get(readyz(ready)))
	r.Handle("/openapi.yaml", get(openapi.Get))
	r.PathPrefix("/api/").Handler(access.Require(log, tokens, operatorAPI(api, log)))
	r.Handle("/webhooks/{source}", in.Relay())
	r.Handle("/{version}", in.Runtime(tokens))
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
