package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/seal"
)

// InstallationPrefix begins the destination name of an installation: its URL and secret come from
// GitBook with each event, not from the configuration.
const InstallationPrefix = "installation."

// Target is where a destination's webhooks go and how they are signed. It holds secrets: it prints
// as [set] and never enters Temporal.
type Target struct {
	// URL is the complete URL, query string included.
	URL string
	// Secrets sign, the newest first.
	Secrets []string
	// Headers are sent besides Courier's own.
	Headers map[string]string
	// Limits bound the requests of each worker. An installation's has none.
	Limits Limits
	// AllowPrivate permits loopback, private and reserved addresses.
	AllowPrivate bool
	// fetch is the request of a fetch event, nil for others. It is part of what is sent, as the
	// event's body is.
	fetch *gitbook.FetchRequest
	// Redact are the paths of members that are left out of the event, as gitbook.Redact has them.
	Redact []string
}

// String hides the target's secrets.
func (t Target) String() string { return "[set]" }

// GoString hides the target's secrets.
func (t Target) GoString() string { return t.String() }

// LogValue hides the target's secrets.
func (t Target) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Installations says whether the events of an installation are accepted, and whether its webhook
// may have a private address.
type Installations func(id string) (allowPrivate, accepted bool)

// SealWebhook encrypts an installation's webhook for its way through Temporal. The result opens
// only for the delivery with that id.
func SealWebhook(keys *seal.Keyring, deliveryID string, webhook gitbook.Webhook) ([]byte, error) {
	plain, err := json.Marshal(map[string]string{"url": webhook.URL, "secret": webhook.Secret})
	if err != nil {
		return nil, err
	}
	return keys.Seal(plain, []byte(deliveryID))
}

// sealedFetch is a fetch request as it is sealed.
type sealedFetch struct {
	Method string      `json:"method,omitempty"`
	URL    string      `json:"url,omitempty"`
	Header http.Header `json:"header"`
}

// SealFetch encrypts the request of a fetch event, whose headers and URL may be credentials, for its
// way through Temporal. The result opens only for the delivery with that id.
func SealFetch(keys *seal.Keyring, deliveryID string, request gitbook.FetchRequest) ([]byte, error) {
	plain, err := json.Marshal(sealedFetch{request.Method, request.URL, request.Header})
	if err != nil {
		return nil, err
	}
	return keys.Seal(plain, []byte(deliveryID))
}

// resolve finds the target of a webhook, and what a fetch event adds to it. Its errors are fit to be
// shown, and final but for errNoSecrets.
func (a *Activities) resolve(ctx context.Context, w Webhook, deliveryID string) (Target, error) {
	target, err := a.target(ctx, w.Destination, deliveryID, w.Sealed)
	if err != nil || len(w.Fetch) == 0 {
		return target, err
	}
	plain, err := a.Keys.Open(w.Fetch, []byte(deliveryID))
	if err != nil {
		return Target{}, fmt.Errorf("open the request of the fetch event: %w", err)
	}
	var request sealedFetch
	if err := json.Unmarshal(plain, &request); err != nil {
		return Target{}, seal.ErrCorrupt
	}
	target.fetch = &gitbook.FetchRequest{Method: request.Method, URL: request.URL, Header: request.Header}
	return target, nil
}

const noSecrets = "the installation's secrets could not be read from Temporal"

// errNoSecrets is of a target that cannot be found now, and may be later.
var errNoSecrets = errors.New(noSecrets)

// target finds the target of a destination.
func (a *Activities) target(ctx context.Context, destination, deliveryID string, sealed []byte) (Target, error) {
	id, isInstallation := strings.CutPrefix(destination, InstallationPrefix)
	if !isInstallation {
		target, ok := a.settings.Load().Destinations[a.current(destination)]
		if !ok {
			return Target{}, fmt.Errorf("the configuration has no destination %q", destination)
		}
		return target, nil
	}
	allowPrivate, accepted := a.settings.Load().Installations(id)
	if !accepted {
		return Target{}, fmt.Errorf("the configuration does not accept installation %q", id)
	}
	plain, err := a.Keys.Open(sealed, []byte(deliveryID))
	if err != nil {
		return Target{}, fmt.Errorf("open the installation's webhook: %w", err)
	}
	var webhook struct{ URL, Secret string }
	if err := json.Unmarshal(plain, &webhook); err != nil {
		return Target{}, seal.ErrCorrupt
	}
	secrets := []string{webhook.Secret}
	if a.Overlaps != nil {
		if secrets, err = a.Overlaps.Secrets(ctx, id, webhook.Secret); err != nil {
			a.Log.WarnContext(ctx, noSecrets, "destination", destination, "error", err)
			return Target{}, errNoSecrets
		}
	}
	return Target{URL: webhook.URL, Secrets: secrets, AllowPrivate: allowPrivate}, nil
}
