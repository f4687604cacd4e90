// Package ingress takes GitBook's events in: it verifies signatures, parses the request, chooses
// the destinations and has every delivery stored before it answers. Only the settings screen is
// answered at once. It knows nothing of tokens, nor of how deliveries are sent.
package ingress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/body"
	"github.com/gitbook-courier/courier/starter/respond"
)

const (
	// storeTimeout bounds how long the storing of an event's deliveries may take, well within the
	// 10 seconds that GitBook waits for an answer.
	storeTimeout = 5 * time.Second
	// retryAfter is the Retry-After, in seconds, while Temporal cannot be reached.
	retryAfter = "5"
	// maxConcurrentStarts bounds the deliveries of one event that are stored at once. 500 of them
	// are stored within storeTimeout as long as each takes up to 600 milliseconds, which is more
	// than the gate lets it become.
	maxConcurrentStarts = 64
	// maxFetchRest bounds what a fetch event's form has besides the body of the request: the event
	// with its headers, and the environment.
	maxFetchRest = 64 << 10
)

// Store makes deliveries durable; *deliveries.Store is one.
type Store interface {
	// Start stores a new delivery. It reports false when the event's delivery to that destination
	// was stored before.
	Start(context.Context, deliveries.NewDelivery) (started bool, err error)
	// GiveUpUninstalled gives up what waits for the own webhook of an installation that is deleted.
	GiveUpUninstalled(context.Context, deliveries.Uninstalled) error
}

// Screen is the integration's settings screen; *configscreen.Screen is one.
type Screen interface {
	// Answer is the JSON with which an event is answered, or false when it does not ask for the
	// screen.
	Answer(context.Context, gitbook.Event, gitbook.Environment) (answer any, asked bool, err error)
}

// Ingress serves the two event routes.
type Ingress struct {
	config  config.Config
	store   Store
	screen  Screen
	log     *slog.Logger
	now     func() time.Time
	handled map[string]bool
	// form is the body of POST /{version}, whose media type gitbook checks, and json that of POST
	// /webhooks/{source}.
	form, json body.Rules
	// fetchRoom is by how much a form may be larger if it is a fetch event's: the form's body is
	// what form bounds then, and the rest comes on top.
	fetchRoom int64
	observe   func(latency time.Duration, err error)
	count     func(eventType string, status int)
}

// New makes the event routes' handlers. now is the clock; it does no I/O.
func New(c config.Config, store Store, screen Screen, log *slog.Logger, now func() time.Time) *Ingress {
	handled := make(map[string]bool)
	for _, eventType := range gitbook.DocumentedEvents() {
		handled[eventType] = true
	}
	for _, destination := range c.Destinations {
		for _, eventType := range destination.Events {
			handled[eventType] = true
		}
	}
	form := body.Rules{MaxBytes: c.MaxBodyBytes, Key: "max_body_bytes"}
	json := form
	json.MediaType = "application/json"
	var fetchRoom int64
	if handled[gitbook.EventFetch] {
		fetchRoom = maxFetchRest
	}
	return &Ingress{
		config: c, store: store, screen: screen, log: log, now: now, handled: handled, form: form, json: json, fetchRoom: fetchRoom,
		observe: func(time.Duration, error) {},
		count:   func(string, int) {},
	}
}

// Observe has f called with how long the store took for each delivery, and with its error. It is
// for the time before the first request.
func (in *Ingress) Observe(f func(latency time.Duration, err error)) { in.observe = f }

// Count has f called for every request that was let in, with the status of its answer and the type
// of its event, which is empty when that could not be read. It is for the time before the first
// request.
func (in *Ingress) Count(f func(eventType string, status int)) { in.count = f }

// counted serves h, which returns the type of its event.
func (in *Ingress) counted(h func(http.ResponseWriter, *http.Request) (eventType string, err error)) respond.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		eventType, err := h(w, r)
		in.count(eventType, respond.Status(err))
		return err
	}
}

// Runtime serves POST /{version}: the request that GitBook's integration runtime sends to an
// integration. The version is looked at before anything else, and only v1 is supported; guard,
// which is for the caller to bring, is asked next and before the body is read.
func (in *Ingress) Runtime(guard func(http.Handler) http.Handler) http.Handler {
	v1 := respond.Methods(in.log, map[string]http.Handler{
		http.MethodPost: guard(respond.Handle(in.log, in.counted(in.runtime))),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if version := mux.Vars(r)["version"]; version != "v1" {
			respond.Text(w, http.StatusBadRequest, "Unsupported version "+version)
			return
		}
		v1.ServeHTTP(w, r)
	})
}

// Development serves POST on any path: the same request where an integration is developed, which
// GitBook's runtime takes whatever the path is. guard is asked before the body is read.
func (in *Ingress) Development(guard func(http.Handler) http.Handler) http.Handler {
	return respond.Methods(in.log, map[string]http.Handler{
		http.MethodPost: guard(respond.Handle(in.log, in.counted(in.runtime))),
	})
}

func (in *Ingress) runtime(w http.ResponseWriter, r *http.Request) (eventType string, err error) {
	request, err := in.readForm(w, r)
	if err != nil {
		return "", err
	}
	event, environment := request.Event, request.Environment
	installation := environment.InstallationID
	if installation == "" {
		installation = event.InstallationID
	}
	if !in.accepts(installation) {
		return event.Type, respond.NewError(http.StatusForbidden, fmt.Sprintf("installation %q is not among the configuration's installations", installation))
	}
	if answer, asked, err := in.screen.Answer(r.Context(), event, environment); asked || err != nil {
		if err == nil {
			respond.JSON(w, http.StatusOK, answer)
		}
		return event.Type, err
	}
	i := incoming{event: event, installation: installation, environment: environment}
	if event.Type == gitbook.EventFetch {
		called, err := event.FetchRequest()
		if err != nil {
			return event.Type, in.refuse(err)
		}
		i.fetch = &deliveries.Fetch{FetchRequest: called, Body: request.FetchBody}
	}
	if err := in.giveUpUninstalled(r.Context(), i); err != nil {
		return event.Type, err
	}
	return event.Type, in.accept(w, r, i)
}

// giveUpUninstalled ends what waits for an installation's own webhook, when the event says that the
// integration was uninstalled. The event is then delivered like any other.
func (in *Ingress) giveUpUninstalled(ctx context.Context, i incoming) error {
	deleted := deliveries.Uninstalled{EventID: i.event.ID, Installation: i.installation}
	switch i.event.Type {
	case gitbook.EventInstallationDeleted:
	case gitbook.EventSpaceInstallationDeleted:
		deleted.Space = i.event.SpaceID
	case gitbook.EventSiteInstallationDeleted:
		deleted.Site = i.event.SiteID
	default:
		return nil
	}
	if _, listed := in.config.Installation(i.installation); !listed || !config.ValidInstallationID(i.installation) {
		return nil // it has no webhook of its own
	}
	if i.event.Type != gitbook.EventInstallationDeleted && deleted.Space+deleted.Site == "" {
		return nil // the event does not say where
	}
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	if err := in.store.GiveUpUninstalled(ctx, deleted); err != nil {
		return notStored(err)
	}
	return nil
}

// notStored is the answer when Temporal does not take the event.
func notStored(err error) error {
	return &respond.Error{
		Status:  http.StatusServiceUnavailable,
		Message: "the event could not be stored; send it again",
		Header:  http.Header{"Retry-After": {retryAfter}},
		Cause:   err,
	}
}

// readForm reads the request of GitBook's runtime.
func (in *Ingress) readForm(w http.ResponseWriter, r *http.Request) (gitbook.RuntimeRequest, error) {
	rules := in.form
	rules.MaxBytes += in.fetchRoom
	reader, err := rules.Open(w, r)
	if err != nil {
		return gitbook.RuntimeRequest{}, err
	}
	form := &counter{Reader: reader}
	request, err := gitbook.ParseRuntimeRequest(r.Header.Get("Content-Type"), form)
	if err != nil {
		return request, in.refuse(err)
	}
	bounded := form.read
	if request.Event.Type == gitbook.EventFetch {
		bounded = int64(len(request.FetchBody))
	}
	if bounded > in.form.MaxBytes {
		return request, in.form.Refusal(&http.MaxBytesError{Limit: in.form.MaxBytes})
	}
	return request, nil
}

// counter counts what is read.
type counter struct {
	io.Reader
	read int64
}

// Read implements io.Reader.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += int64(n)
	return n, err
}

// incoming is an event with what came beside it.
type incoming struct {
	event        gitbook.Event
	installation string
	environment  gitbook.Environment
	// fetch is the request that a fetch event is about.
	fetch *deliveries.Fetch
}

// Relay serves POST /webhooks/{source}: signed JSON as GitBook's hosted Webhook integration sends
// it. The signature is over the body, so guard is asked before anything is known of the caller.
func (in *Ingress) Relay(guard func(http.Handler) http.Handler) http.Handler {
	handlers := make(map[string]http.Handler, len(in.config.Sources))
	for _, source := range in.config.Sources {
		verifier := gitbook.Verifier{Now: in.now}
		for _, secret := range source.Secrets {
			verifier.Secrets = append(verifier.Secrets, secret.Reveal())
		}
		handlers[source.Name] = respond.Methods(in.log, map[string]http.Handler{
			http.MethodPost: guard(respond.Handle(in.log, in.counted(func(w http.ResponseWriter, r *http.Request) (string, error) {
				return in.relay(w, r, verifier)
			}))),
		})
	}
	return respond.Handle(in.log, func(w http.ResponseWriter, r *http.Request) error {
		handler, ok := handlers[mux.Vars(r)["source"]]
		if !ok {
			return respond.NewError(http.StatusNotFound, "no such source; it must be one of the configuration's sources")
		}
		handler.ServeHTTP(w, r)
		return nil
	})
}

func (in *Ingress) relay(w http.ResponseWriter, r *http.Request, verifier gitbook.Verifier) (eventType string, err error) {
	data, err := in.json.ReadAll(w, r)
	if err != nil {
		return "", err
	}
	if err := verifier.Verify(r.Header.Get(gitbook.SignatureHeader), data); err != nil {
		return "", respond.NewError(http.StatusUnauthorized, gitbook.SignatureHeader+": "+err.Error())
	}
	event, err := gitbook.ParseEvent(data)
	if err != nil {
		return "", in.refuse(err)
	}
	return event.Type, in.accept(w, r, incoming{event: event, installation: event.InstallationID})
}

// refuse is the answer to a request that cannot be read or parsed.
func (in *Ingress) refuse(err error) error {
	_, isField := errors.AsType[*gitbook.FieldError](err)
	switch {
	case errors.Is(err, gitbook.ErrMediaType):
		return respond.NewError(http.StatusUnsupportedMediaType, err.Error())
	case errors.Is(err, gitbook.ErrMultipart), isField:
		return respond.NewError(http.StatusBadRequest, err.Error())
	default:
		return in.form.Refusal(err)
	}
}

// accepts is whether POST /v1 takes events of an installation. A configuration that names no
// installations pins none.
func (in *Ingress) accepts(installation string) bool {
	if in.config.Installations == nil {
		return true
	}
	_, ok := in.config.Installation(installation)
	return ok
}

// accept stores every delivery of the event, then answers.
func (in *Ingress) accept(w http.ResponseWriter, r *http.Request, i incoming) error {
	// A fetch event comes with the request that it is about, which a relay does not pass on.
	if !in.handled[i.event.Type] || i.event.Type == gitbook.EventFetch && i.fetch == nil {
		status, message := gitbook.UnhandledAnswer(i.event)
		return respond.NewError(status, message)
	}
	all, err := in.choose(i)
	if err != nil {
		return err
	}
	started, err := in.start(r.Context(), all)
	if err != nil {
		return notStored(err)
	}
	accepted := make([]stored, len(all))
	for i, delivery := range all {
		accepted[i] = stored{Key: delivery.Key(), Duplicate: !started[i]}
	}
	acknowledge(w, r, accepted)
	return nil
}

// start stores deliveries and says of each whether it is new. What was stored before an error stays
// stored; when the event comes again it is a duplicate.
func (in *Ingress) start(ctx context.Context, all []deliveries.NewDelivery) ([]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	started := make([]bool, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentStarts)
	for i, delivery := range all {
		group.Go(func() (err error) {
			begun := time.Now()
			started[i], err = in.store.Start(ctx, delivery)
			in.observe(time.Since(begun), err)
			return err
		})
	}
	return started, group.Wait()
}
