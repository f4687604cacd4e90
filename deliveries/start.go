// Package deliveries keeps deliveries in Temporal: it starts them, finds them again
// and acts on them. Temporal is the only memory; this package is the only one
// that knows how a delivery lies in it. It knows nothing of HTTP.
package deliveries

import (
	"context"
	"errors"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// Store is the deliveries of one Temporal namespace.
type Store struct {
	client    client.Client
	namespace string
	payloads  converter.DataConverter

	mu    sync.Mutex
	known map[string]*known // by destination
}

// New makes a store of the namespace that the client uses, whose payloads the
// data converter reads: the client's own. It does no I/O.
func New(c client.Client, namespace string, payloads converter.DataConverter) *Store {
	return &Store{client: c, namespace: namespace, payloads: payloads, known: make(map[string]*known)}
}

// NewDelivery is a delivery to be stored.
type NewDelivery struct {
	// Input is the workflow's input.
	Input workflows.DeliveryInput
	// Event is the event, byte for byte as it came in.
	Event []byte
	// Installation, Space and Site are the event's, empty when it has none.
	Installation, Space, Site string
}

// ID is the delivery's workflow id.
func (n NewDelivery) ID() string {
	return workflows.DeliveryID(n.Input.EventID, n.Input.Destination)
}

// Start stores a new delivery. It reports false when the event's delivery to
// that destination was stored before, however it went. Temporal has the
// delivery on disk when Start returns without an error.
func (s *Store) Start(ctx context.Context, n NewDelivery) (started bool, err error) {
	_, err = s.run(ctx, n.Input, "", workflows.Attributes(n.Input, n.Installation, n.Space, n.Site), activities.EventPayload(n.Event))
	var duplicate *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &duplicate) {
		return false, nil
	}
	return err == nil, err
}

// run starts a run of a delivery: the first, or one after the previous run.
func (s *Store) run(ctx context.Context, input workflows.DeliveryInput, previous string, attributes temporal.SearchAttributes, event converter.RawValue) (client.WorkflowRun, error) {
	reuse := enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
	if previous != "" {
		reuse = enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
	}
	return s.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.DeliveryID(input.EventID, input.Destination),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDReusePolicy:    reuse,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
		// Without this a duplicate would look like a success.
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		// A worker in this very process gets the first task with the answer.
		EnableEagerStart:      true,
		WorkflowTaskTimeout:   workflows.TaskTimeout(input),
		Priority:              workflows.Fairness(input.Destination),
		TypedSearchAttributes: attributes,
		StaticSummary:         workflows.Summary(input.EventType, input.Destination),
		Memo:                  workflows.Memo(input, previous),
	}, workflows.Delivery, input, event)
}
