package activities

import (
	"sync"
	"time"
)

// maxRecalled bounds how many outcomes a worker remembers.
const maxRecalled = 8192

// outcome is the outcome of the latest attempt of a run.
type outcome struct {
	// log is the complete log; its last entry is the attempt.
	log []Attempt
	// err is the failure, nil when the attempt delivered.
	err error
	// unsent says that the attempt after the log was not made, although its entry may have been
	// stored.
	unsent bool
}

// isKnown is whether it is known how the attempt ended.
func (o outcome) isKnown() bool {
	return !o.unsent && len(o.log) > 0 && o.log[len(o.log)-1].Outcome != OutcomeInterrupted
}

// outcomes remembers the latest attempts of this worker, by run id. When Temporal does not learn of
// one and has it made again, it is not: the request was made, and must not be made twice.
type outcomes struct {
	mu    sync.Mutex
	byRun map[string]*known
	order []string // run ids, the oldest at next
	next  int
	// forgotten is when the attempt began that was forgotten last.
	forgotten time.Time
}

// known is an attempt that this worker has begun. Its outcome is there when over is closed.
type known struct {
	began time.Time
	over  chan struct{}
	outcome
}

func newOutcomes() *outcomes {
	return &outcomes{byRun: make(map[string]*known)}
}

// begin begins the first attempt of a run. If it is repeated and this worker has begun it before,
// it returns that one and false.
func (o *outcomes) begin(runID string, repeated bool, now time.Time) (first *known, isNew bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if earlier, ok := o.byRun[runID]; ok && repeated {
		return earlier, false
	}
	return o.add(runID, &known{began: now, over: make(chan struct{})}), true
}

// end ends what begin began.
func (k *known) end(result outcome) {
	k.outcome = result
	close(k.over)
}

// remember keeps the outcome of the latest attempt of a run.
func (o *outcomes) remember(runID string, now time.Time, latest outcome) {
	k := &known{began: now, over: make(chan struct{}), outcome: latest}
	close(k.over)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.add(runID, k)
}

// add must be called with the lock held.
func (o *outcomes) add(runID string, k *known) *known {
	if _, ok := o.byRun[runID]; ok {
		o.byRun[runID] = k
		return k
	}
	if len(o.order) < maxRecalled {
		o.order = append(o.order, runID)
	} else {
		oldest := o.order[o.next]
		o.forgotten = o.byRun[oldest].began
		delete(o.byRun, oldest)
		o.order[o.next] = runID
		o.next = (o.next + 1) % maxRecalled
	}
	o.byRun[runID] = k
	return k
}

// recall is the outcome of the latest attempt of a run, if this worker made it and it is over.
func (o *outcomes) recall(runID string) (outcome, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	k, ok := o.byRun[runID]
	if !ok {
		return outcome{}, false
	}
	select {
	case <-k.over:
		return k.outcome, true
	default:
		return outcome{}, false
	}
}

// wouldKnow is whether an attempt that began at that time would still be remembered.
func (o *outcomes) wouldKnow(began time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.forgotten.Before(began)
}
