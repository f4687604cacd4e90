// Package activities holds everything of a delivery that touches the network: SendWebhook, which
// resolves a destination, signs the event, sends it, classifies the reply and keeps the attempt
// log. It knows neither the configuration's format nor how events come in, nor the workflow that
// calls it.
package activities

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync/atomic"
	"time"

	"go.temporal.io/sdk/worker"

	"github.com/gitbook-courier/courier/internal/seal"
)

// Options are what the activities need of the world.
type Options struct {
	// Settings are the first ones; see Configure. Required.
	Settings Settings
	// Keys open what SealWebhook sealed. Required.
	Keys *seal.Keyring
	// Signaler reports failed attempts to a delivery's workflow. Required.
	Signaler Signaler
	// Journal keeps the attempt logs of running activities. Required.
	Journal Journal
	// Holds knows which destinations are held. Required.
	Holds Holds
	// Overlaps knows which secrets of installations were replaced lately. Defaults to none.
	Overlaps Overlaps
	// Runs knows how runs began. Required.
	Runs Runs
	// Log takes one line for each attempt that fails. Required.
	Log *slog.Logger
	// EgressProxy is the http, https or socks5 URL of the proxy through which requests go, except
	// those to targets with AllowPrivate; empty for none. It may hold a password, and the
	// Activities do not keep it.
	EgressProxy string
	// Wrap, when not nil, is put around the ways to destinations.
	Wrap func(http.RoundTripper) http.RoundTripper
	// Attempted, when not nil, is told of every request that was made.
	Attempted func(destination string, attempt Attempt)
	// Worker is the identity that the attempt log shows.
	Worker string
	// Now is the clock. Defaults to time.Now.
	Now func() time.Time
	// Random returns a number in [0, 1) for the jitter. Defaults to math/rand's.
	Random func() float64
}

// Overlaps knows which secrets of installations were replaced in GitBook lately, so that they sign
// beside the new ones.
type Overlaps interface {
	// Secrets are those that sign for an installation whose event came with a secret, the newest
	// first. An error means that they cannot be known now.
	Secrets(ctx context.Context, installation, secret string) ([]string, error)
}

// Settings are where webhooks go. They can change while the activities run.
type Settings struct {
	// Destinations are the configured targets by name.
	Destinations map[string]Target
	// Current has the present name of a target by each of its former ones.
	Current map[string]string
	// Installations says whose own webhooks are sent.
	Installations Installations
}

// settings are Settings with what is made of them.
type settings struct {
	Settings
	limiters map[string]*limiter // of destinations with limits
}

// Holds knows which destinations are held, and hears how attempts go, so that one that has been
// failing for long can be held.
type Holds interface {
	// Held is whether the deliveries to a destination are to be held back now.
	Held(ctx context.Context, destination string) bool
	// Report tells how an attempt went: whether the destination is healthy, which it also is when
	// it rejects one.
	Report(ctx context.Context, destination string, healthy bool)
}

// Runs knows how runs of deliveries began.
type Runs interface {
	// Event is the event that a run delivers, byte for byte.
	Event(ctx context.Context, workflowID, runID string) ([]byte, error)
	// FirstTask is when the first workflow task of a run was begun, and by which worker.
	FirstTask(ctx context.Context, workflowID, runID string) (begun time.Time, worker string, err error)
}

// Signaler sends a signal to a workflow; the Temporal client is one.
type Signaler interface {
	SignalWorkflow(ctx context.Context, workflowID, runID, signalName string, arg any) error
}

// Activities are the activities of a delivery. Make them with New.
type Activities struct {
	Options
	public, private http.RoundTripper
	lanes           *lanes
	outcomes        *outcomes
	settings        atomic.Pointer[settings]
	asking          atomic.Int64
}

// New makes the activities. It does no I/O. It panics when EgressProxy is not a URL with a host.
func New(o Options) *Activities {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Attempted == nil {
		o.Attempted = func(string, Attempt) {}
	}
	if o.Wrap == nil {
		o.Wrap = func(way http.RoundTripper) http.RoundTripper { return way }
	}
	public := o.Wrap(newTransport(newDialer(), newGuard(), o.EgressProxy))
	o.EgressProxy = ""
	a := &Activities{Options: o, public: public, private: o.Wrap(newTransport(newDialer(), nil, "")), lanes: newLanes(), outcomes: newOutcomes()}
	a.Configure(o.Settings)
	return a
}

// Configure has the next attempts use other settings. Those under way go on with theirs. A limit
// that stays the same goes on counting; one that changes begins anew.
func (a *Activities) Configure(s Settings) {
	next := &settings{Settings: s, limiters: make(map[string]*limiter)}
	before := a.settings.Load()
	for name, target := range s.Destinations {
		switch {
		case target.Limits == (Limits{}):
		case before != nil && before.limiters[name] != nil && before.Destinations[name].Limits == target.Limits:
			next.limiters[name] = before.limiters[name]
		default:
			next.limiters[name] = newLimiter(target.Limits, a.Now)
		}
	}
	a.settings.Store(next)
}

// limiter is that of a destination, by its present name; nil when it has no limits.
func (a *Activities) limiter(name string) *limiter { return a.settings.Load().limiters[name] }

// ExpressLanes says of each configured destination whether a delivery may make its first attempt in
// the express lane now.
func (a *Activities) ExpressLanes() map[string]bool {
	destinations := a.settings.Load().Destinations
	open := make(map[string]bool, len(destinations))
	for name := range destinations {
		open[name] = a.lanes.isOpen(name, a.Now())
	}
	return open
}

// Register registers the activities under the names of their methods.
func (a *Activities) Register(registry worker.ActivityRegistry) {
	registry.RegisterActivity(a.SendWebhook)
	registry.RegisterActivity(a.SendWebhookExpress)
	registry.RegisterActivity(a.LoadEvent)
	registry.RegisterActivity(a.ProbeDestination)
}

// current is the present name of a destination.
func (a *Activities) current(name string) string {
	return cmp.Or(a.settings.Load().Current[name], name)
}

// transport is the way to a target.
func (a *Activities) transport(target Target) http.RoundTripper {
	if target.AllowPrivate {
		return a.private
	}
	return a.public
}
