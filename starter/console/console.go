// Package console is the starter's web pages for people: what happened to an event, and send it
// again. It shows what the API shows, and acts as the API acts.
//
// Pages are made on the server and work without JavaScript; a small script keeps them up to date.
// Everything that comes from outside is shown as text.
package console

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/api"
	"github.com/gitbook-courier/courier/starter/respond"
)

// Path is where the console begins.
const Path = "/console"

// pageTimeout bounds the work of one page.
const pageTimeout = 15 * time.Second

// Deliveries are what the console asks about deliveries; *deliveries.Store is one.
type Deliveries interface {
	api.Deliveries
	// SendSample sends a sample event of a type to a configured destination.
	SendSample(ctx context.Context, destination, eventType string) (deliveries.Key, error)
}

// Figures are what the console asks about the past and the present; *deliveries.Figures is one.
type Figures interface {
	api.Figures
	// Pulse says whether Courier as a whole is at work.
	Pulse(context.Context) (deliveries.Pulse, error)
}

// Options are what the console needs. Deliveries, Destinations, Figures, Log and Now are required.
type Options struct {
	Deliveries   Deliveries
	Destinations api.Destinations
	Figures      Figures
	// EventTypes are those that samples can be sent of.
	EventTypes []string
	// WorkflowURL is the page of a delivery's run in Temporal's UI; nil when it is not known where
	// that is.
	WorkflowURL func(destination, eventID, runID string) string
	Log         *slog.Logger
	Now         func() time.Time
}

// Console serves the pages.
type Console struct {
	Options
}

// New makes the console. It does no I/O.
func New(o Options) *Console { return &Console{o} }

//go:embed static
var static embed.FS

// Register registers the console's routes.
func (c *Console) Register(r *mux.Router) {
	route := func(path string, byMethod map[string]http.Handler) {
		r.Handle(Path+path, secured(respond.Methods(c.Log, byMethod)))
	}
	page := func(path string, h respond.Handler) {
		route(path, map[string]http.Handler{http.MethodGet: c.handle(h)})
	}
	act := func(path string, h respond.Handler) {
		route(path, map[string]http.Handler{http.MethodPost: c.handle(h)})
	}
	files, _ := fs.Sub(static, "static") // The folder is part of the program.
	assets := http.StripPrefix(Path, http.FileServerFS(files))
	for _, name := range []string{"/style.css", "/console.js"} {
		route(name, map[string]http.Handler{http.MethodGet: assets})
	}
	const one = "/deliveries/{destination}/{eventId}"
	page("", c.overview)
	page("/", c.overview)
	page("/deliveries", c.list)
	page(one, c.delivery)
	act(one+"/{act}", c.act)
	act("/destinations/{name}/{act}", c.actOnDestination)
	route("/redeliveries", map[string]http.Handler{http.MethodGet: c.handle(c.jobs), http.MethodPost: c.handle(c.startJob)})
	page("/redeliveries/{id}", c.job)
	act("/redeliveries/{id}/stop", c.stopJob)
	route("/try", map[string]http.Handler{http.MethodGet: c.handle(c.try), http.MethodPost: c.handle(c.sendSample)})
}

// handle serves a page within its time, and its errors as pages.
func (c *Console) handle(h respond.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), pageTimeout)
		defer cancel()
		r = r.WithContext(ctx)
		if err := api.Explain(h)(w, r); err != nil {
			c.fail(w, r, err)
		}
	})
}

// secured sets the headers of every page: nothing is loaded from elsewhere, no script stands in a
// page, no other site frames it, and no cache keeps it.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "+
			"img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		header.Set("Referrer-Policy", "same-origin")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// seeOther answers an act with the page that shows what came of it.
func seeOther(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther) //nolint:gosec // It is always one of the console's own pages.
}

// deliveryPath is the page of a delivery.
func deliveryPath(destination, eventID string) string {
	return Path + "/deliveries/" + url.PathEscape(destination) + "/" + url.PathEscape(eventID)
}

// variable is a part of the path, as it was before it was escaped.
func variable(r *http.Request, name string) string {
	raw := mux.Vars(r)[name]
	if plain, err := url.PathUnescape(raw); err == nil {
		return plain
	}
	return raw
}
