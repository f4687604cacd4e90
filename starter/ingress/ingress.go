// Package ingress takes GitBook's events in: it verifies signatures, parses
// the request, chooses the destinations and has every delivery stored before
// it answers. It knows nothing of tokens, nor of how deliveries are sent.
package ingress

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
)

const (
	// storeTimeout bounds how long the storing of an event's deliveries may
	// take, well within the 10 seconds that GitBook waits for an answer.
	storeTimeout = 5 * time.Second
	// retryAfter is what a caller is told, in seconds, while Temporal cannot be reached.
	retryAfter = "5"
	// maxConcurrentStarts bounds the deliveries of one event that are stored at once.
	maxConcurrentStarts = 16
)

// Store makes deliveries durable; *deliveries.Store is one.
type Store interface {
	// Start stores a new delivery. It reports false when the event's delivery
	// to that destination was stored before.
	Start(context.Context, deliveries.NewDelivery) (started bool, err error)
}

// Ingress serves the two event routes.
type Ingress struct {
	config  config.Config
	store   Store
	log     *slog.Logger
	now     func() time.Time
	handled map[string]bool
}

// New makes the event routes' handlers. now is the clock; it does no I/O.
func New(c config.Config, store Store, log *slog.Logger, now func() time.Time) *Ingress {
	handled := make(map[string]bool)
	for _, eventType := range gitbook.DocumentedEvents() {
		handled[eventType] = true
	}
	for _, destination := range c.Destinations {
		for _, eventType := range destination.Events {
			handled[eventType] = true
		}
	}
	return &Ingress{config: c, store: store, log: log, now: now, handled: handled}
}

// Runtime serves POST /{version}: the request that GitBook's integration
// runtime sends to an integration. The version is looked at before anything
// else, and only v1 is supported; guard, which is for the caller to bring, is
// asked next and before the body is read.
func (in *Ingress) Runtime(guard func(http.Handler) http.Handler) http.Handler {
	v1 := respond.Methods(in.log, map[string]http.Handler{
		http.MethodPost: guard(respond.Handle(in.log, in.runtime)),
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if version := mux.Vars(r)["version"]; version != "v1" {
			respond.Text(w, http.StatusBadRequest, "Unsupported version "+version)
			return
		}
		v1.ServeHTTP(w, r)
	})
}

func (in *Ingress) runtime(w http.ResponseWriter, r *http.Request) error {
	body, err := in.limit(w, r)
	if err != nil {
		return err
	}
	request, err := gitbook.ParseRuntimeRequest(r.Header.Get("Content-Type"), body)
	if err != nil {
		return in.refuse(err)
	}
	event, environment := request.Event, request.Environment
	installation := environment.InstallationID
	if installation == "" {
		installation = event.InstallationID
	}
	if !in.accepts(installation) {
		return respond.NewError(http.StatusForbidden, fmt.Sprintf("installation %q is not among the configuration's installations", installation))
	}
	return in.accept(w, r, event, installation, environment)
}

// Relay serves POST /webhooks/{source}: signed JSON as GitBook's hosted
// Webhook integration sends it. The signature is over the body, so guard is
// asked before anything is known of the caller.
func (in *Ingress) Relay(guard func(http.Handler) http.Handler) http.Handler {
	handlers := make(map[string]http.Handler, len(in.config.Sources))
	for _, source := range in.config.Sources {
		verifier := gitbook.Verifier{Now: in.now}
		for _, secret := range source.Secrets {
			verifier.Secrets = append(verifier.Secrets, secret.Reveal())
		}
		handlers[source.Name] = respond.Methods(in.log, map[string]http.Handler{
			http.MethodPost: guard(respond.Handle(in.log, func(w http.ResponseWriter, r *http.Request) error {
				return in.relay(w, r, verifier)
			})),
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

func (in *Ingress) relay(w http.ResponseWriter, r *http.Request, verifier gitbook.Verifier) error {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return respond.NewError(http.StatusUnsupportedMediaType, "Content-Type must be application/json")
	}
	limited, err := in.limit(w, r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(limited)
	if err != nil {
		return in.refuse(err)
	}
	if err := verifier.Verify(r.Header.Get(gitbook.SignatureHeader), body); err != nil {
		return respond.NewError(http.StatusUnauthorized, gitbook.SignatureHeader+": "+err.Error())
	}
	event, err := gitbook.ParseEvent(body)
	if err != nil {
		return in.refuse(err)
	}
	return in.accept(w, r, event, event.InstallationID, gitbook.Environment{})
}

// limit bounds the request's body, and refuses one that announces too much or
// is compressed.
func (in *Ingress) limit(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	if coding := strings.Join(r.Header.Values("Content-Encoding"), ","); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, respond.NewError(http.StatusUnsupportedMediaType, "Content-Encoding is not supported; send the body as it is")
	}
	if r.ContentLength > in.config.MaxBodyBytes {
		return nil, in.tooLarge()
	}
	return http.MaxBytesReader(w, r.Body, in.config.MaxBodyBytes), nil
}

func (in *Ingress) tooLarge() error {
	return respond.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("body is larger than %d bytes (max_body_bytes)", in.config.MaxBodyBytes))
}

// refuse answers a request that cannot be read or parsed.
func (in *Ingress) refuse(err error) error {
	var (
		tooLarge *http.MaxBytesError
		field    *gitbook.FieldError
	)
	switch {
	case errors.As(err, &tooLarge):
		return in.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return respond.NewError(http.StatusRequestTimeout, "the body did not arrive in time; send it again")
	case errors.Is(err, gitbook.ErrMediaType):
		return respond.NewError(http.StatusUnsupportedMediaType, err.Error())
	case errors.Is(err, gitbook.ErrMultipart), errors.As(err, &field):
		return respond.NewError(http.StatusBadRequest, err.Error())
	default:
		return respond.NewError(http.StatusBadRequest, "the body breaks off, or its chunks are broken")
	}
}

// accepts is whether POST /v1 takes events of an installation. A
// configuration that names no installations pins none.
func (in *Ingress) accepts(installation string) bool {
	if in.config.Installations == nil {
		return true
	}
	_, ok := in.config.Installation(installation)
	return ok
}

// accept stores every delivery of the event, then answers.
func (in *Ingress) accept(w http.ResponseWriter, r *http.Request, event gitbook.Event, installation string, environment gitbook.Environment) error {
	if !in.handled[event.Type] {
		status, message := gitbook.UnhandledAnswer(event)
		return respond.NewError(status, message)
	}
	all, err := in.choose(event, installation, environment)
	if err != nil {
		return err
	}
	started, err := in.start(r.Context(), all)
	if err != nil {
		return &respond.Error{
			Status:  http.StatusServiceUnavailable,
			Message: "the event could not be stored; send it again",
			Header:  http.Header{"Retry-After": {retryAfter}},
			Cause:   err,
		}
	}
	if len(all) > 0 {
		ids := make([]string, len(all))
		for i, delivery := range all {
			ids[i] = delivery.ID()
		}
		w.Header().Set("Courier-Delivery", strings.Join(ids, ", "))
		if !slices.Contains(started, true) {
			w.Header().Set("Courier-Duplicate", "true")
		}
	}
	respond.Text(w, http.StatusOK, "OK")
	return nil
}

// start stores deliveries and says of each whether it is new. What was stored
// before an error stays stored; when the event comes again it is a duplicate.
func (in *Ingress) start(ctx context.Context, all []deliveries.NewDelivery) ([]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	started := make([]bool, len(all))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentStarts)
	for i, delivery := range all {
		group.Go(func() (err error) {
			started[i], err = in.store.Start(ctx, delivery)
			return err
		})
	}
	return started, group.Wait()
}
