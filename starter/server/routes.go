package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/starter/access"
	"github.com/gitbook-courier/courier/starter/api"
	"github.com/gitbook-courier/courier/starter/codecserver"
	"github.com/gitbook-courier/courier/starter/console"
	"github.com/gitbook-courier/courier/starter/ingress"
	"github.com/gitbook-courier/courier/starter/openapi"
	"github.com/gitbook-courier/courier/starter/respond"
)

// Rooms are the handlers behind the routes. All are required.
type Rooms struct {
	Ingress *ingress.Ingress
	API     *api.API
	Codec   *codecserver.Server
	Console *console.Console
	// Ready is one look at whether events can be stored.
	Ready func(context.Context) error
	// Warning is what a program that is ready should say nevertheless; empty for nothing. Nil is
	// never anything.
	Warning func() string
	// Metrics shows the program's metrics.
	Metrics http.Handler
	// Development has every other path take events too, without a token, as GitBook's runtime does
	// where an integration is developed: GitBook has none to show, and posts to any path.
	Development bool
	// Wrap, when not nil, is put around all routes.
	Wrap func(http.Handler) http.Handler
}

// gates are those of events and of operators, so that neither locks the other out.
type gates struct{ events, operators *gate }

func newGates(l limits, log *slog.Logger) gates {
	return gates{
		events:    newGate(newConcurrencyLimit(l.events), l, log),
		operators: newGate(fixedConcurrency(l.operators), l, log),
	}
}

// newRouter is every route of the starter, on one screen; those below /api are in api.API.Register.
// The fixed paths come before /{version}, which matches any single segment.
func newRouter(c config.Config, rooms Rooms, g gates, log *slog.Logger) *mux.Router {
	// A request without a token does not get as far as a gate.
	rooms.Ingress.Observe(g.events.observe)
	event := func(h http.Handler) http.Handler {
		return access.Require(log, c.Access.ForEvents(), access.EventKeys, g.events.guard(h))
	}
	operator := func(h http.Handler) http.Handler {
		return access.Require(log, c.Access.ForAPI(), access.APIKeys, g.operators.guard(h))
	}
	get := func(h respond.Handler) http.Handler {
		return respond.Methods(log, map[string]http.Handler{http.MethodGet: respond.Handle(log, h)})
	}

	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	// Nothing has a name that is not printable, and Temporal would not take it.
	r.MatcherFunc(unprintable).Handler(respond.NotFound(log))
	r.Handle("/healthz", get(healthz))
	r.Handle("/readyz", get(readyz(rooms.Ready, rooms.Warning)))
	r.Handle("/metrics", respond.Methods(log, map[string]http.Handler{http.MethodGet: operator(rooms.Metrics)}))
	r.Handle("/openapi.yaml", get(openapi.Get))
	others := respond.NotFound(log)
	if rooms.Development {
		others = rooms.Ingress.Development(g.events.guard)
	}
	r.Handle("/", toConsole(others))
	r.Handle(console.Path, operator(consoleRouter(rooms.Console, log)))
	r.PathPrefix(console.Path + "/").Handler(operator(consoleRouter(rooms.Console, log)))
	r.PathPrefix("/api/").Handler(operator(operatorAPI(rooms.API, log)))
	for _, path := range codecserver.Paths {
		r.Handle(path, rooms.Codec.Handler(operator))
	}
	r.Handle("/webhooks/{source}", rooms.Ingress.Relay(g.events.guard))
	if !rooms.Development {
		r.Handle("/{version}", rooms.Ingress.Runtime(event))
	}
	r.NotFoundHandler = others
	return r
}

// unprintable is whether a path has other characters than visible ASCII and spaces.
func unprintable(r *http.Request, _ *mux.RouteMatch) bool {
	return strings.ContainsFunc(r.URL.Path, func(c rune) bool { return c < ' ' || c > '~' })
}

// operatorAPI is every route below /api, which tokens guard as a whole.
func operatorAPI(a *api.API, log *slog.Logger) *mux.Router {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	a.Register(r)
	r.NotFoundHandler = respond.NotFound(log)
	return r
}

// Probes serves metrics and probes, without a token. Ready and warning are as in Rooms.
func Probes(ready func(context.Context) error, warning func() string, metrics http.Handler, log *slog.Logger) http.Handler {
	r := mux.NewRouter()
	for path, h := range map[string]http.Handler{
		"/healthz": respond.Handle(log, healthz),
		"/readyz":  respond.Handle(log, readyz(ready, warning)),
		"/metrics": metrics,
	} {
		r.Handle(path, respond.Methods(log, map[string]http.Handler{http.MethodGet: h}))
	}
	r.NotFoundHandler = respond.NotFound(log)
	return r
}

// consoleRouter is every route of the console, which tokens guard as a whole.
func consoleRouter(c *console.Console, log *slog.Logger) *mux.Router {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	c.Register(r)
	r.NotFoundHandler = respond.NotFound(log)
	return r
}

// toConsole sends browsers to the console.
func toConsole(others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		if reads && strings.Contains(r.Header.Get("Accept"), "text/html") {
			http.Redirect(w, r, console.Path, http.StatusFound)
			return
		}
		others.ServeHTTP(w, r)
	})
}

// healthz serves GET /healthz: the process answers.
func healthz(w http.ResponseWriter, _ *http.Request) error {
	respond.Text(w, http.StatusOK, "OK")
	return nil
}

// readyz serves GET /readyz: events can be stored. A probe that comes too early is nothing to log.
func readyz(ready func(context.Context) error, warning func() string) respond.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := ready(r.Context()); err != nil {
			shown, ok := errors.AsType[*respond.Error](err)
			if !ok {
				shown = respond.NewError(http.StatusServiceUnavailable, "Temporal cannot be reached")
			}
			respond.Refuse(w, shown)
			return nil
		}
		text := "OK"
		if warning != nil {
			if said := warning(); said != "" {
				text += "; " + said
			}
		}
		respond.Text(w, http.StatusOK, text)
		return nil
	}
}
