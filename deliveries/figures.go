package deliveries

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// FigureHours is for how many hours Figures has counts, the current one included.
	FigureHours = 24
	// settled is how long after its end an hour's counts do not change any more: visibility may be
	// a little behind.
	settled = time.Minute
	// figuresTTL is for how long the counts of an hour that is not settled are relied on.
	figuresTTL = 5 * time.Second
	// maxConcurrentHours bounds the hours that are counted at once.
	maxConcurrentHours = 4
)

// Hour is how many deliveries to a destination ended in an hour.
type Hour struct {
	// Start is when the hour began: a full hour in UTC.
	Start       time.Time `json:"start"`
	Delivered   int64     `json:"delivered"`
	Undelivered int64     `json:"undelivered"`
}

// Figures counts the deliveries of each hour. Temporal keeps the counts; what cannot change any
// more is not asked for again.
type Figures struct {
	store *Store

	mu    sync.Mutex
	known map[figureKey]figure
	pulse Pulse
}

type figureKey struct {
	destination string
	hour        time.Time
}

type figure struct {
	Hour
	asked time.Time
}

// NewFigures makes the figures of a store's deliveries. It does no I/O.
func NewFigures(s *Store) *Figures {
	return &Figures{store: s, known: make(map[figureKey]figure)}
}

// Hours are the last FigureHours hours of a destination, the oldest first. It returns
// ErrDestinationUnknown for a destination that is not in the configuration and that no delivery
// goes to.
func (f *Figures) Hours(ctx context.Context, destination string) (hours []Hour, err error) {
	defer translate(&err)
	if !printable(destination) {
		return nil, ErrDestinationUnknown
	}
	if err := f.store.checkDestination(ctx, destination); err != nil {
		return nil, err
	}
	now := f.store.now().UTC()
	first := now.Truncate(time.Hour).Add(-(FigureHours - 1) * time.Hour)
	f.forget(first)
	hours = make([]Hour, FigureHours)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentHours)
	for i := range hours {
		group.Go(func() (err error) {
			hours[i], err = f.hour(ctx, destination, first.Add(time.Duration(i)*time.Hour), now)
			return err
		})
	}
	return hours, group.Wait()
}

// forget drops the hours before the first that is shown.
func (f *Figures) forget(first time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for key := range f.known {
		if key.hour.Before(first) {
			delete(f.known, key)
		}
	}
}

func (f *Figures) hour(ctx context.Context, destination string, start, now time.Time) (Hour, error) {
	key := figureKey{destination, start}
	end := start.Add(time.Hour)
	f.mu.Lock()
	known, ok := f.known[key]
	f.mu.Unlock()
	if ok && (known.asked.After(end.Add(settled)) || now.Sub(known.asked) < figuresTTL) {
		return known.Hour, nil
	}
	query := Filter{Destination: destination}.query() + " AND CloseTime >= " + quoteTime(start) + " AND CloseTime < " + quoteTime(end)
	counts, err := f.store.countByStatus(ctx, query)
	if err != nil {
		return Hour{}, err
	}
	h := Hour{Start: start, Delivered: counts.delivered, Undelivered: counts.undelivered}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[key] = figure{Hour: h, asked: now}
	return h, nil
}
