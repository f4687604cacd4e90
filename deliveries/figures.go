package deliveries

import (
	"context"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/workflows"
)

// Figures say how a destination does.
type Figures struct {
	// Hold is whether it is held.
	Hold HoldState
	// Recent counts its deliveries that closed since the time asked for;
	// Recent.Waiting is 0.
	Recent Counts
	// Waiting counts its deliveries that are not over.
	Waiting int64
	// LastError says why the latest of its undelivered ones was given up;
	// LastErrorAt is when.
	LastError   string
	LastErrorAt *time.Time
}

// Figures counts a destination's deliveries since a time.
func (s *Store) Figures(ctx context.Context, destination string, since time.Time) (Figures, error) {
	var f Figures
	recent := Filter{Destination: destination}.query() + " AND CloseTime >= " + quoteTime(since)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		f.Hold, err = s.Hold(ctx, destination)
		return err
	})
	group.Go(func() (err error) {
		f.Recent, err = s.countByStatus(ctx, recent)
		return err
	})
	group.Go(func() (err error) {
		f.Waiting, err = s.count(ctx, Filter{Destination: destination, Status: Held}.query())
		return err
	})
	group.Go(func() (err error) {
		f.LastError, f.LastErrorAt, err = s.lastError(ctx, recent+" AND ExecutionStatus = 'Failed'")
		return err
	})
	err := group.Wait()
	return f, err
}

// lastError reads why the delivery that closed last was given up.
func (s *Store) lastError(ctx context.Context, query string) (string, *time.Time, error) {
	response, err := s.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 1})
	if err != nil || len(response.GetExecutions()) == 0 {
		return "", nil, err
	}
	last := response.GetExecutions()[0]
	attempts, err := s.outcome(ctx, last.GetExecution())
	return workflows.LastFailure(attempts), at(last.GetCloseTime()), err
}
