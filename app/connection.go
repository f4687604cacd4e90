package app

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/gitbook-courier/courier/deliveries"
)

const (
	// connectInterval is the pause between two looks for Temporal.
	connectInterval = time.Second
	// sayInterval is the pause between two messages that Temporal is awaited.
	sayInterval = 15 * time.Second
)

// connection waits for Temporal and prepares the namespace, so that no program has to be started
// after it.
type connection struct {
	client    client.Client
	namespace *deliveries.Namespace
	address   string
	log       *slog.Logger

	ready  chan struct{}
	cancel context.CancelFunc
	done   chan struct{}
}

func newConnection(c client.Client, namespace *deliveries.Namespace, o Options) *connection {
	return &connection{
		client: c, namespace: namespace, address: cmp.Or(o.Temporal.HostPort, client.DefaultHostPort), log: o.Logger,
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

// wait returns true when Temporal is reachable and the namespace prepared, false when ctx was done
// before.
func (c *connection) wait(ctx context.Context) bool {
	ticker := time.NewTicker(connectInterval)
	defer ticker.Stop()
	var said time.Time
	for {
		err := c.namespace.Prepare(ctx)
		if err == nil {
			if !said.IsZero() {
				c.log.Info("Temporal is reachable", "address", c.address, "namespace", c.namespace.Name)
			}
			return true
		}
		if now := time.Now(); ctx.Err() == nil && now.Sub(said) >= sayInterval {
			said = now
			c.log.Warn("waiting for Temporal", "address", c.address, "namespace", c.namespace.Name, "error", err)
		}
		select {
		case <-ctx.Done():
			return false
		case <-ticker.C:
		}
	}
}

// usable is one look at whether events can be stored.
func (c *connection) usable(ctx context.Context) error {
	select {
	case <-c.ready:
		return c.namespace.Check(ctx)
	default:
		return errors.New("the namespace is not prepared yet")
	}
}
