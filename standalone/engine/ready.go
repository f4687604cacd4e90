package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
)

// readyInterval is the pause between two looks at a starting server.
const readyInterval = 20 * time.Millisecond

// waitReady returns when the server answers a question that takes all of frontend, history and
// database: a workflow that cannot exist is reported as not found.
func waitReady(ctx context.Context, options client.Options, failure <-chan error) error {
	options.Logger = silent{}
	c, err := client.NewLazyClient(options)
	if err != nil {
		return err
	}
	defer c.Close()

	ticker := time.NewTicker(readyInterval)
	defer ticker.Stop()
	for {
		attempt, cancel := context.WithTimeout(ctx, time.Second)
		_, err := c.DescribeWorkflowExecution(attempt, "ready-"+uuid.NewString(), "")
		cancel()
		if _, notFound := errors.AsType[*serviceerror.NotFound](err); notFound {
			return nil
		}
		select {
		case err := <-failure:
			return err
		case <-ctx.Done():
			return fmt.Errorf("temporal server is not ready: %w", errors.Join(context.Cause(ctx), err))
		case <-ticker.C:
		}
	}
}

// silent is the SDK's logger while the server comes up and errors are expected.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
