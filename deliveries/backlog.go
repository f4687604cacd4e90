package deliveries

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// Backlog is what waits for a destination.
type Backlog struct {
	// Destination is a name, or InstallationDestination for all installations' own webhooks.
	Destination string
	// Waiting counts the deliveries that are not over, Held those of them that are held.
	Waiting, Held int64
	// Oldest is for how long the oldest of them has been waiting, good to some percent.
	Oldest time.Duration
	// Hold is why the destination is held: StatePaused or StateFailing; empty when it is not.
	Hold string
}

// InstallationDestination stands for the destinations of all installations.
const InstallationDestination = "installation"

const (
	// youngest and eldest bound the search for the oldest delivery.
	youngest, eldest = 10 * time.Second, 365 * 24 * time.Hour
	// ageSteps is how often the stretch in which the oldest delivery began is halved.
	ageSteps = 4
)

// Backlogs are those of the configured destinations and of the installations.
func (h *Holds) Backlogs(ctx context.Context) (all []Backlog, err error) {
	defer translate(&err)
	destinations := h.store.config().Destinations
	all = make([]Backlog, len(destinations)+1)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentFigures)
	for i, d := range destinations {
		group.Go(func() (err error) {
			all[i], err = h.store.backlog(ctx, d.Name, Filter{Destination: d.Name, Running: true}.query())
			if err != nil {
				return err
			}
			hold, err := h.store.hold(ctx, d.Name)
			if shown := hold.shown(); shown == StatePaused || shown == StateFailing {
				all[i].Hold = shown
			}
			return err
		})
	}
	group.Go(func() (err error) {
		query := Filter{Running: true}.query() + " AND " + workflows.Destination.GetName() + " STARTS_WITH " + quote(activities.InstallationPrefix)
		all[len(all)-1], err = h.store.backlog(ctx, InstallationDestination, query)
		return err
	})
	return all, group.Wait()
}

// backlog is what a query of running deliveries finds.
func (s *Store) backlog(ctx context.Context, name, query string) (b Backlog, err error) {
	b.Destination = name
	if b.Waiting, err = s.count(ctx, query); err != nil || b.Waiting == 0 {
		return b, err
	}
	if b.Held, err = s.count(ctx, query+" AND "+saysHeld); err != nil {
		return b, err
	}
	b.Oldest, err = s.oldest(ctx, query)
	return b, err
}

// oldest is the age of the oldest delivery that a query finds. Visibility on SQL cannot be asked for
// it, so its age is closed in on.
func (s *Store) oldest(ctx context.Context, query string) (time.Duration, error) {
	now := s.now()
	older := func(age time.Duration) (bool, error) {
		n, err := s.count(ctx, query+" AND StartTime < "+quoteTime(now.Add(-age)))
		return n > 0, err
	}
	least, most := time.Duration(0), youngest
	for ; most < eldest; least, most = most, 2*most {
		if some, err := older(most); err != nil || !some {
			if err != nil {
				return 0, err
			}
			break
		}
	}
	for range ageSteps {
		middle := (least + most) / 2
		some, err := older(middle)
		if err != nil {
			return 0, err
		}
		if some {
			least = middle
		} else {
			most = middle
		}
	}
	return (least + most) / 2, nil
}

// Waiting counts the deliveries of a name that are not over.
func (s *Store) Waiting(ctx context.Context, destination string) (n int64, err error) {
	defer translate(&err)
	return s.count(ctx, Filter{Destination: destination, Running: true}.query())
}
