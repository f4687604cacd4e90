// Package deliveries keeps deliveries in Temporal: it starts them, finds them again and acts on
// them. Temporal is the only memory; this package is the only one outside of the workflows that
// knows how a delivery is stored in it, and the only one that knows Temporal's errors. It knows
// nothing of HTTP.
package deliveries

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/workflows"
)

// Options are what the room needs. All are required.
type Options struct {
	// Client is a client of the namespace, whose starts carry the request ids of [RequestIDs].
	Client client.Client
	// Namespace is the namespace's name.
	Namespace string
	// Payloads is the client's data converter.
	Payloads converter.DataConverter
	// Config says how destinations take deliveries.
	Config *config.Live
	// Keys seal installations' webhooks.
	Keys *seal.Keyring
	// Log takes what goes wrong in the background.
	Log *slog.Logger
	// Now is the clock.
	Now func() time.Time
}

// Store is the deliveries of one Temporal namespace.
type Store struct {
	reader
	client    client.Client
	namespace string
	live      *config.Live
	keys      *seal.Keyring
	log       *slog.Logger
	now       func() time.Time

	redelivering claims
}

// New makes a store. It does no I/O.
func New(o Options) *Store {
	return &Store{
		reader: reader{o.Payloads},
		client: o.Client, namespace: o.Namespace, live: o.Config, keys: o.Keys, log: o.Log, now: o.Now,
	}
}

// config is the configuration now.
func (s *Store) config() config.Config { return s.live.Current() }

// Reason says why a delivery is sent.
type Reason string

// Reasons of a first run.
const (
	// ReasonEvent is an event that came in.
	ReasonEvent Reason = workflows.ReasonEvent
	// ReasonTest is a sample event that an operator asked for.
	ReasonTest Reason = workflows.ReasonTest
)

// NewDelivery is a delivery to be stored: an event and where it goes.
type NewDelivery struct {
	// Event is the event. It is stored byte for byte, without the members that the destination has
	// redacted.
	Event gitbook.Event
	// Installation is the id of the installation that the event came from; empty when it is
	// unknown.
	Installation string
	// Destination is the name of a configured destination. It is empty when Webhook is set.
	Destination string
	// Webhook, when not nil, is the installation's own webhook, to which the event goes instead. It
	// is sealed before it is stored.
	Webhook *gitbook.Webhook
	// Fetch, when not nil, is the request that a fetch event is about. Its body is delivered instead
	// of the event, and stored as it is; the rest is sealed. A fetch event must have it.
	Fetch *Fetch
	// Reason is why it is sent.
	Reason Reason
	// AcceptedAt is when the event was accepted.
	AcceptedAt time.Time
}

// Fetch is a request of an outside service, with its body.
type Fetch struct {
	gitbook.FetchRequest
	Body []byte
}

// ID is the delivery's id: the workflow id in Temporal.
func (n NewDelivery) ID() string { return workflows.DeliveryID(n.Event.ID, n.name()) }

// Key names the delivery to people, however long its id would be.
func (n NewDelivery) Key() Key { return Key{Destination: n.name(), EventID: n.Event.ID} }

// name is the destination's name.
func (n NewDelivery) name() string {
	if n.Webhook != nil {
		return workflows.InstallationDestination(n.Installation)
	}
	return n.Destination
}

// Start stores a new delivery. It reports false when the event's delivery to that destination was
// stored before, whatever became of it. Temporal has the delivery on disk when Start returns
// without an error.
//
// It returns ErrDestinationUnknown for a destination that the configuration does not have, and
// ErrUnavailable when Temporal cannot be reached.
func (s *Store) Start(ctx context.Context, n NewDelivery) (started bool, err error) {
	defer translate(&err)
	input, event, err := s.build(n)
	if err != nil {
		return false, err
	}
	options := startOptions(input)
	options.WorkflowIDReusePolicy = enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	// A worker in this very process gets the first task with the answer.
	options.EnableEagerStart = true
	options.TypedSearchAttributes = workflows.Attributes(input, n.Installation, n.Event.SpaceID, n.Event.SiteID)
	options.Memo = workflows.Memo(input, "")
	payload := activities.EventPayload
	if n.Fetch != nil {
		payload = activities.BodyPayload
	}
	_, err = s.client.ExecuteWorkflow(ctx, options, workflows.Delivery, input, payload(event))
	if is[*serviceerror.WorkflowExecutionAlreadyStarted](err) {
		return false, nil
	}
	return err == nil, err
}

// build makes a workflow's input, and the event as it is stored.
func (s *Store) build(n NewDelivery) (input workflows.DeliveryInput, event []byte, err error) {
	input = workflows.DeliveryInput{Reason: string(n.Reason), EventType: n.Event.Type, AcceptedAt: n.AcceptedAt.UTC()}
	input.Destination, input.EventID = n.name(), n.Event.ID
	if n.Webhook != nil {
		input.URL = config.DisplayURL(n.Webhook.URL)
		if input.Sealed, err = activities.SealWebhook(s.keys, n.ID(), *n.Webhook); err != nil {
			return input, nil, fmt.Errorf("seal the installation's webhook: %w", err)
		}
		return s.configure(input, config.DefaultDestination()), n.Event.Raw(), nil
	}
	d, ok := s.config().Destination(n.Destination)
	if !ok {
		return input, nil, ErrDestinationUnknown
	}
	input.URL = config.DisplayURL(d.URL.Reveal())
	if n.Fetch != nil {
		if input.Fetch, err = activities.SealFetch(s.keys, n.ID(), n.Fetch.FetchRequest); err != nil {
			return input, nil, fmt.Errorf("seal the request of the fetch event: %w", err)
		}
		return s.configure(input, d), n.Fetch.Body, nil
	}
	return s.configure(input, d), gitbook.Redact(n.Event.Raw(), d.Redact), nil
}

// startOptions are those of every run of a delivery.
func startOptions(input workflows.DeliveryInput) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.DeliveryID(input.EventID, input.Destination),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		// Without this a duplicate would look like a success.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		WorkflowTaskTimeout:                      workflows.TaskTimeout(input),
		Priority:                                 workflows.Fairness(input.Destination),
		StaticSummary:                            workflows.Summary(input.EventType, input.Destination),
	}
}

// printable is whether Temporal may be asked about a text: it has 1 to 255 visible ASCII characters
// or spaces, as event ids and destinations' names do.
func printable(text string) bool {
	if text == "" || len(text) > gitbook.MaxEventIDLength {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// Key names a delivery.
type Key struct {
	Destination string `json:"destination"`
	EventID     string `json:"eventId"`
}
