package deliveries

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"

	"github.com/gitbook-courier/courier/workflows"
)

// checkTimeout bounds one look at Temporal.
const checkTimeout = 5 * time.Second

// Namespace is the Temporal namespace that holds the deliveries.
type Namespace struct {
	// Name is the namespace's name.
	Name string

	client client.Client
	log    *slog.Logger
}

// NewNamespace makes the namespace with that name, of a client that uses it. Empty is Temporal's
// default namespace. It does no I/O.
func NewNamespace(c client.Client, name string, log *slog.Logger) *Namespace {
	if name == "" {
		name = client.DefaultNamespace
	}
	return &Namespace{Name: name, client: c, log: log}
}

// Check is one look at whether Temporal can be reached.
func (n *Namespace) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := n.client.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// Prepare registers the search attributes that are missing, if Temporal lets us, and otherwise says
// how to.
func (n *Namespace) Prepare(ctx context.Context) error {
	if err := n.Check(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	missing := make(map[string]enumspb.IndexedValueType)
	for _, key := range workflows.SearchAttributes() {
		missing[key.GetName()] = key.GetValueType()
	}
	operator := n.client.OperatorService()
	list, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: n.Name})
	if err == nil {
		for name := range list.GetCustomAttributes() {
			delete(missing, name)
		}
		if len(missing) == 0 {
			return n.probe(ctx)
		}
		_, err = operator.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: n.Name, SearchAttributes: missing,
		})
	}
	_, denied := errors.AsType[*serviceerror.PermissionDenied](err)
	_, unimplemented := errors.AsType[*serviceerror.Unimplemented](err)
	_, exists := errors.AsType[*serviceerror.AlreadyExists](err)
	_, unknown := errors.AsType[*serviceerror.NamespaceNotFound](err)
	switch {
	case err == nil, exists:
		return n.probe(ctx)
	case denied, unimplemented:
		n.log.Warn("search attributes cannot be registered from here; have them created", "command", n.createCommand())
		return nil
	case unknown:
		return fmt.Errorf("namespace %q does not exist; create it: temporal operator namespace create --namespace %s", n.Name, n.Name)
	default:
		return err
	}
}

// probe asks for deliveries by every search attribute: for some seconds after they were registered,
// Temporal refuses to store an event with them.
func (n *Namespace) probe(ctx context.Context) error {
	var asks []string
	for _, key := range workflows.SearchAttributes() {
		asks = append(asks, key.GetName()+" = ''")
	}
	_, err := n.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: n.Name, Query: strings.Join(asks, " AND "),
	})
	return err
}

// createCommand is the command that registers all search attributes.
func (n *Namespace) createCommand() string {
	var b strings.Builder
	fmt.Fprintf(&b, "temporal operator search-attribute create --namespace %s", n.Name)
	for _, key := range workflows.SearchAttributes() {
		fmt.Fprintf(&b, " --name %s --type %s", key.GetName(), key.GetValueType())
	}
	return b.String()
}
