package deliveries

import (
	"context"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/sdk/client"

	"github.com/gitbook-courier/courier/workflows"
)

// Holds holds destinations and resumes them, and says which are held. A process remembers that for
// a moment, so that not every attempt has to ask Temporal.
//
// It implements activities.Holds: it also holds a destination that has been failing for as long as
// the configuration says.
type Holds struct {
	store *Store

	mu    sync.Mutex
	known map[string]*known // by destination
}

// NewHolds makes the holds of a store's destinations. It does no I/O.
func NewHolds(s *Store) *Holds {
	return &Holds{store: s, known: make(map[string]*known)}
}

// hold is the hold of a destination; the zero value is none.
type hold struct {
	// state is workflows.HoldStateHeld or HoldStateReleasing.
	state string
	// reason is one of the workflows' reasons for a hold.
	reason string
	// since is when the hold began.
	since time.Time
	// paused says that the hold itself is paused in Temporal. It is held then, and does not react
	// before it goes on.
	paused bool
}

// holds is whether the destination's deliveries are to wait.
func (h hold) holds() bool { return h.state == workflows.HoldStateHeld }

// shown is the state of a destination with that hold; empty without one.
func (h hold) shown() string {
	switch {
	case h.state == "":
		return ""
	case h.state == workflows.HoldStateReleasing, h.reason == workflows.HoldReleasing:
		return StateReleasing
	case h.reason == workflows.HoldFailing:
		return StateFailing
	default:
		return StatePaused
	}
}

// hold finds the hold of a destination.
func (s *Store) hold(ctx context.Context, destination string) (hold, error) {
	described, err := s.client.DescribeWorkflowExecution(ctx, workflows.HoldID(destination), "")
	if notFound(err) {
		return hold{}, nil
	}
	if err != nil {
		return hold{}, err
	}
	return s.readHold(described.GetWorkflowExecutionInfo()), nil
}

// readHold reads a hold from its description.
func (r reader) readHold(info *workflowpb.WorkflowExecutionInfo) hold {
	if !isRunning(info) {
		return hold{}
	}
	h := hold{state: workflows.HoldStateHeld, since: info.GetStartTime().AsTime(), paused: isPaused(info)}
	for name, into := range map[string]*string{workflows.HoldStateMemo: &h.state, workflows.HoldReasonMemo: &h.reason} {
		if payload, ok := info.GetMemo().GetFields()[name]; ok {
			_ = r.payloads.FromPayload(payload, into) // ours are strings
		}
	}
	if h.paused {
		h.state = workflows.HoldStateHeld
	}
	return h
}

// Pause holds the deliveries to a destination until Resume: those that this process attempts at
// once, those of others within workflows.HoldCacheTTL. It may be one that is no longer in the
// configuration, as long as deliveries to it wait. It returns the state that the destination is
// about to have, and ErrDestinationUnknown for a name that nothing knows.
func (h *Holds) Pause(ctx context.Context, destination string) (shown Destination, err error) {
	defer translate(&err)
	ctx, cancel := undisturbed(ctx)
	defer cancel()
	name, err := h.store.resolve(ctx, destination)
	if err != nil {
		return Destination{}, err
	}
	// The next attempt asks, however short ago the last one did.
	defer h.forget(name)
	if err := h.store.signalHold(ctx, name, workflows.HoldPaused, workflows.SetHeldSignal, true, nil); err != nil {
		return Destination{}, err
	}
	return h.about(ctx, name, StatePaused)
}

// Resume ends the hold of a destination; its held deliveries are then released, the oldest first.
// Deliveries that are held without a hold, because it was terminated, are released too. It returns
// the state that the destination is about to have, a *StateError when nothing is held, and
// ErrDestinationUnknown for a name that nothing knows.
func (h *Holds) Resume(ctx context.Context, destination string) (shown Destination, err error) {
	defer translate(&err)
	ctx, cancel := undisturbed(ctx)
	defer cancel()
	name, err := h.store.resolve(ctx, destination)
	if err != nil {
		return Destination{}, err
	}
	defer h.forget(name)
	ended, err := h.store.endHold(ctx, name)
	if err != nil {
		return Destination{}, err
	}
	if !ended {
		released, err := h.store.releaseHeld(ctx, name)
		if err != nil {
			return Destination{}, err
		}
		if !released {
			return Destination{}, &StateError{"the destination is not held"}
		}
	}
	return h.about(ctx, name, StateReleasing)
}

// about shows a destination in the state that it is about to have: its hold may not have reacted
// yet.
func (h *Holds) about(ctx context.Context, name, state string) (Destination, error) {
	shown, err := h.destination(ctx, name)
	shown.State = state
	return shown, err
}

// endHold tells the hold of a destination to end, also one that is paused in Temporal. It reports
// false when there is none.
func (s *Store) endHold(ctx context.Context, name string) (ended bool, err error) {
	described, err := s.client.DescribeWorkflowExecution(ctx, workflows.HoldID(name), "")
	if notFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	info := described.GetWorkflowExecutionInfo()
	if !isRunning(info) {
		return false, nil
	}
	err = s.client.SignalWorkflow(ctx, workflows.HoldID(name), "", workflows.SetHeldSignal, false)
	if notFound(err) {
		return false, nil // it has just ended
	}
	if err == nil && isPaused(info) {
		err = s.unpause(ctx, info)
	}
	return err == nil, err
}

// releaseHeld starts a hold that does nothing but release, when any delivery to the destination
// says that it is held. It reports whether any does.
func (s *Store) releaseHeld(ctx context.Context, name string) (bool, error) {
	held, err := s.count(ctx, s.to(name)+" AND "+saysHeld)
	if err != nil || held == 0 {
		return false, err
	}
	_, err = s.client.ExecuteWorkflow(ctx, holdOptions(name, workflows.HoldStateReleasing, workflows.HoldReleasing), workflows.Hold,
		workflows.HoldInput{Destination: name, Reason: workflows.HoldReleasing})
	return true, err
}

// signalHold sends the hold of a destination a signal; without a hold it starts one for that
// reason.
func (s *Store) signalHold(ctx context.Context, name, reason, signal string, argument any, notice *workflows.DeliveryInput) error {
	_, err := s.client.SignalWithStartWorkflow(ctx, workflows.HoldID(name), signal, argument,
		holdOptions(name, workflows.HoldStateHeld, reason), workflows.Hold,
		workflows.HoldInput{Destination: name, Reason: reason, Notify: notice})
	return err
}

func holdOptions(destination, state, reason string) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.HoldID(destination),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            workflows.HoldSummary(destination),
		Memo:                     map[string]any{workflows.HoldStateMemo: state, workflows.HoldReasonMemo: reason},
	}
}

// resolve is the name under which a destination is held: the one that the configuration has for it
// today or, of one that it does not have, the name itself, as long as it is held or deliveries to
// it wait.
func (s *Store) resolve(ctx context.Context, name string) (string, error) {
	if d, ok := s.configured(name); ok {
		return d.Name, nil
	}
	if !printable(name) {
		return "", ErrDestinationUnknown
	}
	waiting, err := s.count(ctx, s.to(name))
	if err != nil || waiting > 0 {
		return name, err
	}
	hold, err := s.hold(ctx, name)
	if err == nil && hold.state == "" {
		err = ErrDestinationUnknown
	}
	return name, err
}

// known is what a process knows of a destination.
type known struct {
	mu           sync.Mutex
	held         bool
	asked        time.Time
	failingSince time.Time
}

func (h *Holds) of(name string) *known {
	h.mu.Lock()
	defer h.mu.Unlock()
	k, ok := h.known[name]
	if !ok {
		k = &known{}
		h.known[name] = k
	}
	return k
}

// forget has the next attempt of this process ask Temporal whether a destination is held.
func (h *Holds) forget(name string) {
	k := h.of(name)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = time.Time{}
}

// Held is whether the deliveries to a destination are to be held back now. While Temporal does not
// say, the last answer stands: one attempt too many is better than a stop.
func (h *Holds) Held(ctx context.Context, destination string) bool {
	name := h.store.canonical(destination)
	k := h.of(name)
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := h.store.now(); now.Sub(k.asked) >= workflows.HoldCacheTTL {
		hold, err := h.store.hold(ctx, name)
		if err != nil {
			h.store.log.Warn("cannot find out whether the destination is held", "destination", name, "error", err)
			return k.held
		}
		k.held, k.asked = hold.holds(), now
	}
	return k.held
}

// Report takes note of an attempt: whether the destination is healthy, which it also is when it
// rejects a delivery. A destination that has been failing for long is held.
func (h *Holds) Report(ctx context.Context, destination string, healthy bool) {
	d, ok := h.store.configured(destination)
	if !ok || d.HoldAfter == 0 {
		return
	}
	k := h.of(d.Name)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := h.store.now()
	switch {
	case healthy:
		k.failingSince = time.Time{}
	case k.failingSince.IsZero():
		k.failingSince = now
	case now.Sub(k.failingSince) >= d.HoldAfter && !k.held:
		err := h.store.signalHold(ctx, d.Name, workflows.HoldFailing, workflows.SetFailingSignal, nil, h.store.noticeTo(d.Notify))
		if err != nil {
			h.store.log.Warn("cannot hold a failing destination", "destination", d.Name, "error", err)
			return
		}
		h.store.log.Info("destination is held, because it has been failing", "destination", d.Name, "since", k.failingSince)
		// Whether it is held now is for the hold to say: it may be releasing.
		k.asked, k.failingSince = time.Time{}, time.Time{}
	}
}
