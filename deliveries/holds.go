package deliveries

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

// HoldState says whether and why the deliveries to a destination are held.
type HoldState struct {
	// State is workflows.HoldStateHeld or HoldStateReleasing; empty when the
	// destination is not held.
	State string
	// Reason is workflows.HoldPaused or HoldFailing.
	Reason string
	// Since is when the hold began.
	Since time.Time
}

// Hold finds out whether a destination is held.
func (s *Store) Hold(ctx context.Context, destination string) (HoldState, error) {
	described, err := s.client.DescribeWorkflowExecution(ctx, workflows.HoldID(destination), "")
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return HoldState{}, nil
	}
	if err != nil {
		return HoldState{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	if info.GetStatus() != enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return HoldState{}, nil
	}
	state := HoldState{State: workflows.HoldStateHeld, Since: info.GetStartTime().AsTime()}
	fields := info.GetMemo().GetFields()
	for name, into := range map[string]*string{workflows.HoldStateMemo: &state.State, workflows.HoldReasonMemo: &state.Reason} {
		if payload, ok := fields[name]; ok {
			_ = s.payloads.FromPayload(payload, into) // ours are strings
		}
	}
	return state, nil
}

// Pause holds the deliveries to a destination until Resume: those that are
// attempted by this process at once, those of others within HoldCacheTTL.
func (s *Store) Pause(ctx context.Context, destination string) error {
	defer s.ask(destination)
	_, err := s.client.SignalWithStartWorkflow(ctx, workflows.HoldID(destination), workflows.SetHeldSignal, true,
		holdOptions(destination, workflows.HoldPaused), workflows.Hold, workflows.HoldInput{Destination: destination, Reason: workflows.HoldPaused})
	return err
}

// Resume ends the hold of a destination; its held deliveries are then
// released, the oldest first. It returns a *StateError when it is not held.
func (s *Store) Resume(ctx context.Context, destination string) error {
	err := s.client.SignalWorkflow(ctx, workflows.HoldID(destination), "", workflows.SetHeldSignal, false)
	var unknown *serviceerror.NotFound
	if errors.As(err, &unknown) {
		return &StateError{"the destination is not held"}
	}
	return err
}

func holdOptions(destination, reason string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.HoldID(destination),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            workflows.HoldSummary(destination),
		Memo:                     map[string]any{workflows.HoldStateMemo: workflows.HoldStateHeld, workflows.HoldReasonMemo: reason},
	}
}

// Holds tells a worker which destinations are held, and holds one that has
// been failing for long. It remembers what it has seen for a moment, so that
// not every attempt has to ask Temporal.
type Holds struct {
	store  *Store
	config config.Config
	log    *slog.Logger
	now    func() time.Time
}

// known is what a process knows of a destination.
type known struct {
	mu           sync.Mutex
	held         bool
	asked        time.Time
	failingSince time.Time
}

// NewHolds makes the holds; the configuration says which destinations are held
// for failing, and when. It does no I/O.
func NewHolds(s *Store, c config.Config, log *slog.Logger, now func() time.Time) *Holds {
	return &Holds{store: s, config: c, log: log, now: now}
}

func (s *Store) of(destination string) *known {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.known[destination]
	if !ok {
		k = &known{}
		s.known[destination] = k
	}
	return k
}

// ask has the next attempt of this process ask Temporal whether a destination
// is held, however short ago the last one did.
func (s *Store) ask(destination string) {
	k := s.of(destination)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = time.Time{}
}

// Held implements activities.Holds. When Temporal does not say, the last
// answer stands: an attempt more or less is better than a stop.
func (h *Holds) Held(ctx context.Context, destination string) bool {
	k := h.store.of(destination)
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := h.now(); now.Sub(k.asked) >= workflows.HoldCacheTTL {
		state, err := h.store.Hold(ctx, destination)
		if err != nil {
			h.log.Warn("it is unknown whether the destination is held", "destination", destination, "error", err)
			return k.held
		}
		k.held, k.asked = state.State == workflows.HoldStateHeld, now
	}
	return k.held
}

// Report implements activities.Holds.
func (h *Holds) Report(ctx context.Context, destination string, able bool) {
	d, ok := h.config.Destination(destination)
	if !ok || d.HoldAfter == 0 {
		return
	}
	k := h.store.of(destination)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := h.now()
	switch {
	case able:
		k.failingSince = time.Time{}
	case k.failingSince.IsZero():
		k.failingSince = now
	case now.Sub(k.failingSince) >= d.HoldAfter && !k.held:
		if err := h.store.holdFailing(ctx, destination, NoticeTo(h.config, d.Notify)); err != nil {
			h.log.Warn("a failing destination could not be held", "destination", destination, "error", err)
			return
		}
		h.log.Info("destination is held, because it has been failing", "destination", destination, "since", k.failingSince)
		k.held, k.asked, k.failingSince = true, now, time.Time{}
	}
}

func (s *Store) holdFailing(ctx context.Context, destination string, notice *workflows.DeliveryInput) error {
	_, err := s.client.ExecuteWorkflow(ctx, holdOptions(destination, workflows.HoldFailing), workflows.Hold,
		workflows.HoldInput{Destination: destination, Reason: workflows.HoldFailing, Notify: notice})
	return err
}
