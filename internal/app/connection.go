package app

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

const (
	// connectInterval is the pause between two looks for Temporal.
	connectInterval = time.Second
	// sayInterval is the pause between two messages that Temporal is awaited.
	sayInterval = 15 * time.Second
	// checkTimeout bounds one look.
	checkTimeout = 5 * time.Second
)

// connection waits for Temporal and prepares the namespace, so that no program
// has to be started after it.
type connection struct {
	client    client.Client
	namespace string
	address   string
	log       *slog.Logger

	ready  chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

func newConnection(c client.Client, o Options) *connection {
	namespace, address := o.Temporal.Namespace, o.Temporal.HostPort
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	if address == "" {
		address = client.DefaultHostPort
	}
	return &connection{
		client: c, namespace: namespace, address: address, log: o.Logger,
		ready: make(chan struct{}), done: make(chan struct{}),
	}
}

func (c *connection) start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	go func() {
		defer close(c.done)
		if c.wait(ctx) {
			close(c.ready)
		}
	}()
	return nil
}

func (c *connection) stop(context.Context) error {
	c.cancel()
	<-c.done
	c.client.Close()
	return nil
}

// wait returns true when Temporal is reachable and the namespace prepared,
// false when ctx was done before.
func (c *connection) wait(ctx context.Context) bool {
	ticker := time.NewTicker(connectInterval)
	defer ticker.Stop()
	var said time.Time
	for {
		err := c.prepare(ctx)
		if err == nil {
			if !said.IsZero() {
				c.log.Info("Temporal is reachable", "address", c.address, "namespace", c.namespace)
			}
			return true
		}
		if now := time.Now(); ctx.Err() == nil && now.Sub(said) >= sayInterval {
			said = now
			c.log.Warn("waiting for Temporal", "address", c.address, "namespace", c.namespace, "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// readiness is one look at whether Temporal can be reached.
type readiness func(context.Context) error

// check is one look at whether Temporal can be reached.
func (c *connection) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err := c.client.CheckHealth(ctx, &client.CheckHealthRequest{})
	return err
}

// prepare registers the search attributes that are missing, if Temporal lets
// us, and otherwise says how to.
func (c *connection) prepare(ctx context.Context) error {
	if err := c.check(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	missing := make(map[string]enumspb.IndexedValueType)
	for _, key := range workflows.SearchAttributes() {
		missing[key.GetName()] = key.GetValueType()
	}
	operator := c.client.OperatorService()
	list, err := operator.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: c.namespace})
	if err == nil {
		for name := range list.GetCustomAttributes() {
			delete(missing, name)
		}
		if len(missing) == 0 {
			return c.probe(ctx)
		}
		_, err = operator.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
			Namespace: c.namespace, SearchAttributes: missing,
		})
	}
	var (
		denied        *serviceerror.PermissionDenied
		unimplemented *serviceerror.Unimplemented
		exists        *serviceerror.AlreadyExists
		unknown       *serviceerror.NamespaceNotFound
	)
	switch {
	case err == nil, errors.As(err, &exists):
		return c.probe(ctx)
	case errors.As(err, &denied), errors.As(err, &unimplemented):
		c.log.Warn("search attributes cannot be registered from here; have them created", "command", c.createCommand())
		return nil
	case errors.As(err, &unknown):
		return fmt.Errorf("namespace %q does not exist; create it: temporal operator namespace create --namespace %s", c.namespace, c.namespace)
	default:
		return err
	}
}

// probe asks for deliveries by every search attribute: for some seconds after
// they were registered, Temporal refuses to store an event with them.
func (c *connection) probe(ctx context.Context) error {
	var asks []string
	for _, key := range workflows.SearchAttributes() {
		asks = append(asks, key.GetName()+" = ''")
	}
	_, err := c.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
		Namespace: c.namespace, Query: strings.Join(asks, " AND "),
	})
	return err
}

// usable is one look at whether events can be stored.
func (c *connection) usable(ctx context.Context) error {
	select {
	case <-c.ready:
		return c.check(ctx)
	default:
		return errors.New("the namespace is not prepared yet")
	}
}

// createCommand is the command that registers all search attributes.
func (c *connection) createCommand() string {
	var b strings.Builder
	fmt.Fprintf(&b, "temporal operator search-attribute create --namespace %s", c.namespace)
	for _, key := range workflows.SearchAttributes() {
		fmt.Fprintf(&b, " --name %s --type %s", key.GetName(), key.GetValueType())
	}
	return b.String()
}
