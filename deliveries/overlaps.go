package deliveries

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/gitbook-courier/courier/workflows"
)

// maxReplaced bounds the replaced secrets that sign beside a new one: every signature is a part of
// a header that receivers must be able to take.
const maxReplaced = 4

// Overlaps keeps secrets of installations that were replaced in GitBook, so that they sign beside
// the new ones for a while. Each installation's are in the memo of a workflow that lasts as long,
// sealed. A process remembers what it has read for a moment, as Holds does.
//
// It implements activities.Overlaps.
type Overlaps struct {
	store *Store

	mu    sync.Mutex
	known map[string]*knownOverlap // by destination
}

// NewOverlaps makes the overlaps of a store's installations. It does no I/O.
func NewOverlaps(s *Store) *Overlaps {
	return &Overlaps{store: s, known: make(map[string]*knownOverlap)}
}

// overlap is what is sealed. The zero value is none.
type overlap struct {
	// Current is the newest secret.
	Current string `json:"current"`
	// Replaced are those before, the newest first.
	Replaced []replaced `json:"replaced"`
}

// replaced is a secret that signs until a time.
type replaced struct {
	Secret string    `json:"secret"`
	Until  time.Time `json:"until"`
}

// at is the overlap without what is over.
func (o overlap) at(now time.Time) overlap {
	left := overlap{Current: o.Current}
	for _, r := range o.Replaced {
		if now.Before(r.Until) {
			left.Replaced = append(left.Replaced, r)
		}
	}
	return left
}

// replace is the overlap after a secret has given way to another.
func (o overlap) replace(old, by string, until time.Time) overlap {
	next := overlap{Current: by, Replaced: []replaced{{old, until}}}
	for _, r := range o.Replaced {
		if r.Secret != old && r.Secret != by && len(next.Replaced) < maxReplaced {
			next.Replaced = append(next.Replaced, r)
		}
	}
	return next
}

// signing are the secrets that sign what came with a secret, the newest first.
func (o overlap) signing(secret string) []string {
	all := []string{o.Current}
	found := secret == o.Current
	for _, r := range o.Replaced {
		all = append(all, r.Secret)
		found = found || secret == r.Secret
	}
	if !found || len(o.Replaced) == 0 {
		return []string{secret}
	}
	return all
}

// knownOverlap is what a process knows of a destination.
type knownOverlap struct {
	mu      sync.Mutex
	overlap overlap
	asked   time.Time
}

func (o *Overlaps) of(destination string) *knownOverlap {
	o.mu.Lock()
	defer o.mu.Unlock()
	k, ok := o.known[destination]
	if !ok {
		k = &knownOverlap{}
		o.known[destination] = k
	}
	return k
}

// Keep has a secret of an installation sign for the configuration's secret_overlap longer, beside
// the one that replaces it. It keeps nothing of an installation whose webhook is no destination.
// It returns ErrUnavailable when Temporal cannot be reached.
func (o *Overlaps) Keep(ctx context.Context, installation, old, by string) (err error) {
	defer translate(&err)
	lasts := o.store.config().SecretOverlap
	if _, listed := o.store.config().Installation(installation); !listed || lasts == 0 {
		return nil
	}
	destination := workflows.InstallationDestination(installation)
	k := o.of(destination)
	k.mu.Lock()
	defer k.mu.Unlock()
	before, err := o.store.overlap(ctx, destination)
	if err != nil {
		return err
	}
	now := o.store.now()
	next := before.at(now).replace(old, by, now.Add(lasts))
	sealed, err := o.store.sealOverlap(destination, next)
	if err != nil {
		return err
	}
	_, err = o.store.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.OverlapID(destination),
		TaskQueue:                workflows.TaskQueue,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		StartDelay:               lasts,
		StaticSummary:            workflows.OverlapSummary(destination),
		Memo:                     map[string]any{workflows.OverlapSecretsMemo: sealed},
	}, workflows.SecretOverlap)
	if err != nil {
		return err
	}
	k.overlap, k.asked = next, now
	return nil
}

// Secrets are the secrets that sign a delivery to an installation's webhook, the newest first,
// given the one that came with its event. It asks Temporal at most once in workflows.HoldCacheTTL;
// while Temporal does not say, the last answer stands, and without one it returns ErrUnavailable.
func (o *Overlaps) Secrets(ctx context.Context, installation, secret string) (all []string, err error) {
	defer translate(&err)
	if o.store.config().SecretOverlap == 0 {
		return []string{secret}, nil
	}
	destination := workflows.InstallationDestination(installation)
	k := o.of(destination)
	k.mu.Lock()
	defer k.mu.Unlock()
	now := o.store.now()
	if now.Sub(k.asked) >= workflows.HoldCacheTTL {
		found, err := o.store.overlap(ctx, destination)
		switch {
		case err == nil:
			k.overlap, k.asked = found, now
		case k.asked.IsZero():
			return nil, err
		default:
			o.store.log.Warn("cannot find out whether a replaced secret still signs", "destination", destination, "error", err)
		}
	}
	return k.overlap.at(now).signing(secret), nil
}

// overlap reads what is kept of a destination's secrets. What this process has no key for counts as
// nothing, as do the memo's faults: the secret that came with the event always signs.
func (s *Store) overlap(ctx context.Context, destination string) (overlap, error) {
	described, err := s.client.DescribeWorkflowExecution(ctx, workflows.OverlapID(destination), "")
	if notFound(err) {
		return overlap{}, nil
	}
	if err != nil {
		return overlap{}, err
	}
	info := described.GetWorkflowExecutionInfo()
	payload, ok := info.GetMemo().GetFields()[workflows.OverlapSecretsMemo]
	if !ok || !isRunning(info) {
		return overlap{}, nil
	}
	var sealed []byte
	var kept overlap
	err = s.payloads.FromPayload(payload, &sealed)
	if err == nil {
		sealed, err = s.keys.Open(sealed, []byte(workflows.OverlapID(destination)))
	}
	if err == nil {
		err = json.Unmarshal(sealed, &kept)
	}
	if err != nil {
		s.log.Warn("a replaced secret cannot be read", "destination", destination, "error", err)
		return overlap{}, nil
	}
	return kept, nil
}

func (s *Store) sealOverlap(destination string, o overlap) ([]byte, error) {
	plain, err := json.Marshal(o)
	if err != nil {
		return nil, err
	}
	sealed, err := s.keys.Seal(plain, []byte(workflows.OverlapID(destination)))
	if err != nil {
		return nil, fmt.Errorf("seal the installation's secrets: %w", err)
	}
	return sealed, nil
}
