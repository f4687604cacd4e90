package deliveries

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/workflows"
)

// States of a destination.
const (
	// StateActive takes deliveries.
	StateActive = "active"
	// StatePaused is held, because an operator paused it.
	StatePaused = workflows.HoldPaused
	// StateFailing is held, because it has been failing.
	StateFailing = workflows.HoldFailing
	// StateReleasing takes deliveries, while those that were held go out.
	StateReleasing = workflows.HoldStateReleasing
	// StateUnknown is not in the configuration.
	StateUnknown = "unknown"
)

// recent is how far back the figures of a destination reach.
const recent = time.Hour

const (
	// maxConcurrentFigures bounds the destinations that are looked at at once.
	maxConcurrentFigures = 4
	// maxUnconfigured bounds how many names beyond the configuration's are shown.
	maxUnconfigured = 100
)

// Destination is a destination, as the API shows it: one of the configuration, or a name that is no
// longer in it, but is held or has deliveries that wait.
type Destination struct {
	Name string `json:"name"`
	// URL is the URL without its query string; empty for one that is not in the configuration.
	URL string `json:"url"`
	// Events are the types that it takes.
	Events []string `json:"events"`
	// State is one of the State constants.
	State string `json:"state"`
	// Schedule is absent for a name that is not in the configuration.
	Schedule  *Schedule  `json:"schedule,omitempty"`
	HeldSince *time.Time `json:"heldSince,omitempty"`
	// Delivered and Undelivered count the deliveries that closed in the last hour.
	Delivered   int64 `json:"delivered"`
	Undelivered int64 `json:"undelivered"`
	// Waiting counts those that are not over.
	Waiting int64 `json:"waiting"`
	// OldestMs is for how long the oldest of them has been waiting, good to some percent; 0 when none
	// waits.
	OldestMs int64 `json:"oldestMs,omitempty"`
	// LastError says why the latest delivery that was given up in the last hour was; LastErrorAt is
	// when.
	LastError   string     `json:"lastError,omitempty"`
	LastErrorAt *time.Time `json:"lastErrorAt,omitempty"`
	// Advice says what to do about a state that needs it.
	Advice string `json:"advice,omitempty"`
}

// Schedule is by which schedule and within which limits a destination is sent to. Durations are in
// milliseconds.
type Schedule struct {
	// TimeoutMs is how long one attempt may take, RetriesMs the waits between attempts, without
	// their random part, and RetryAfterMaxMs the longest wait that a reply can ask for.
	TimeoutMs       int64   `json:"timeoutMs"`
	RetriesMs       []int64 `json:"retriesMs"`
	RetryAfterMaxMs int64   `json:"retryAfterMaxMs"`
	// HoldAfterMs is how long it may fail until it is held; 0 never.
	HoldAfterMs int64 `json:"holdAfterMs"`
	// Concurrency and RateLimit bound the requests of each worker: under way, and begun in a second;
	// 0 is no limit.
	Concurrency int     `json:"concurrency"`
	RateLimit   float64 `json:"rateLimit"`
}

func scheduleOf(d config.Destination) *Schedule {
	s := &Schedule{
		TimeoutMs: d.Timeout.Milliseconds(), RetriesMs: make([]int64, len(d.Retries)), RetryAfterMaxMs: d.RetryAfterMax.Milliseconds(),
		HoldAfterMs: d.HoldAfter.Milliseconds(), Concurrency: d.Concurrency, RateLimit: d.RateLimit,
	}
	for i, wait := range d.Retries {
		s.RetriesMs[i] = wait.Milliseconds()
	}
	return s
}

// All are the configuration's destinations in its order and, after them, names that it does not
// have, for which deliveries wait.
func (h *Holds) All(ctx context.Context) (all []Destination, err error) {
	defer translate(&err)
	var names []string
	for _, d := range h.store.config().Destinations {
		names = append(names, d.Name)
	}
	more, err := h.unconfigured(ctx, names)
	if err != nil {
		return nil, err
	}
	names = append(names, more...)
	all = make([]Destination, len(names))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentFigures)
	for i, name := range names {
		group.Go(func() (err error) {
			all[i], err = h.destination(ctx, name)
			return err
		})
	}
	err = group.Wait()
	return all, err
}

// unconfigured are the names that are held, or that waiting deliveries go to, and that the
// configuration does not have.
func (h *Holds) unconfigured(ctx context.Context, configured []string) ([]string, error) {
	waiting, err := h.store.destinationsOf(ctx, "("+saysHeld+" OR "+saysUnknown+")", configured)
	if err != nil {
		return nil, err
	}
	err = h.store.each(ctx, "WorkflowType = "+quote(workflows.HoldType)+" AND "+isOpen, func(e *workflowpb.WorkflowExecutionInfo) error {
		if name, ok := strings.CutPrefix(e.GetExecution().GetWorkflowId(), workflows.HoldID("")); ok && !slices.Contains(configured, name) {
			waiting = append(waiting, name)
		}
		return nil
	})
	slices.Sort(waiting)
	return slices.Compact(waiting), err
}

// destinationsOf are the destinations of the running deliveries that a term finds, without those
// excepted, and at most maxUnconfigured. Visibility cannot group by destination, so each name costs
// a query.
func (s *Store) destinationsOf(ctx context.Context, term string, except []string) ([]string, error) {
	var names []string
	seen := slices.Clone(except)
	for range maxUnconfigured {
		query := Filter{Running: true}.query() + " AND " + term
		for _, name := range seen {
			query += " AND " + workflows.Destination.GetName() + " != " + quote(name)
		}
		response, err := s.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 1})
		if err != nil || len(response.GetExecutions()) == 0 {
			return names, err
		}
		name := attribute(response.GetExecutions()[0].GetSearchAttributes(), workflows.Destination)
		if name == "" || slices.Contains(seen, name) {
			return names, nil
		}
		names, seen = append(names, name), append(seen, name)
	}
	return names, nil
}

// destination is the state of a destination, and its figures.
func (h *Holds) destination(ctx context.Context, name string) (Destination, error) {
	shown := Destination{Name: name, Events: []string{}, State: StateActive}
	if d, ok := h.store.config().Destination(name); ok {
		shown.URL, shown.Events, shown.Schedule = config.DisplayURL(d.URL.Reveal()), d.Events, scheduleOf(d)
	} else {
		shown.State = StateUnknown
		shown.Advice = "it is not in the configuration: its deliveries wait until it is, or until they are cancelled"
	}
	of := Filter{Destination: name}
	closed := of.query() + " AND CloseTime >= " + quoteTime(h.store.now().Add(-recent))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		hold, err := h.store.hold(ctx, name)
		if state := hold.shown(); state != "" {
			shown.State, shown.HeldSince = state, &hold.since
		}
		return err
	})
	group.Go(func() error {
		counts, err := h.store.countByStatus(ctx, closed)
		shown.Delivered, shown.Undelivered = counts.delivered, counts.undelivered
		return err
	})
	group.Go(func() (err error) {
		of.Running = true
		backlog, err := h.store.backlog(ctx, name, of.query())
		shown.Waiting, shown.OldestMs = backlog.Waiting, backlog.Oldest.Milliseconds()
		return err
	})
	group.Go(func() (err error) {
		shown.LastError, shown.LastErrorAt, err = h.store.lastError(ctx, closed+" AND ExecutionStatus = 'Failed'")
		return err
	})
	err := group.Wait()
	return shown, err
}

// lastError is why the delivery that closed last was given up, and when.
func (s *Store) lastError(ctx context.Context, query string) (string, *time.Time, error) {
	response, err := s.client.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 1})
	if err != nil || len(response.GetExecutions()) == 0 {
		return "", nil, err
	}
	last := response.GetExecutions()[0]
	events, err := s.end(ctx, last)
	if err != nil {
		return "", nil, err
	}
	found, err := s.closedOutcome(events)
	if found.Failure == "" {
		found.Failure = workflows.LastFailure(found.Attempts)
	}
	return found.Failure, at(last.GetCloseTime()), err
}

// sampleFetch is a request as an outside service might have made it.
func sampleFetch(id string) *Fetch {
	return &Fetch{
		FetchRequest: gitbook.FetchRequest{
			Method: "post", URL: "https://integrations.example.com/v1/integrations/example",
			Header: map[string][]string{"Content-Type": {"application/json"}},
		},
		Body: []byte(`{"test":"` + id + `"}`),
	}
}

// SendSamples sends a configured destination a sample of every event type that it takes, as
// deliveries like any other. It returns ErrDestinationUnknown for any other destination.
func (s *Store) SendSamples(ctx context.Context, destination string) (sent []Key, err error) {
	d, ok := s.config().Destination(destination)
	if !ok {
		return nil, ErrDestinationUnknown
	}
	for _, eventType := range d.Events {
		key, err := s.SendSample(ctx, d.Name, eventType)
		if err != nil {
			return nil, err
		}
		sent = append(sent, key)
	}
	return sent, nil
}

// SendSample sends a configured destination a sample of an event type, as a delivery like any
// other. It returns ErrDestinationUnknown for any other destination.
func (s *Store) SendSample(ctx context.Context, destination, eventType string) (Key, error) {
	event, err := gitbook.ParseEvent(gitbook.Sample(eventType, "test_"+uuid.NewString()))
	if err != nil {
		return Key{}, err
	}
	sample := NewDelivery{Event: event, Installation: event.InstallationID, Destination: destination, Reason: ReasonTest, AcceptedAt: s.now()}
	if eventType == gitbook.EventFetch {
		sample.Fetch = sampleFetch(event.ID)
	}
	_, err = s.Start(ctx, sample)
	return sample.Key(), err
}
