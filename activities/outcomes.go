package activities

import "sync"

// maxRecalled bounds how many outcomes a worker remembers.
const maxRecalled = 4096

// outcomes are the results of the latest requests of the express lane, by run
// id: a workflow task that could not be reported is done again, and then must
// not send again.
type outcomes struct {
	mu    sync.Mutex
	byRun map[string]firstAttempt
	order []string // run ids, the oldest at next
	next  int
}

// firstAttempt is the result of the first attempt of a run; without attempts
// the express lane was closed.
type firstAttempt struct {
	result SendWebhookResult
	err    error
}

func newOutcomes() *outcomes {
	return &outcomes{byRun: make(map[string]firstAttempt)}
}

// remember keeps the result of the first attempt of a run.
func (o *outcomes) remember(runID string, first firstAttempt) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.order) < maxRecalled {
		o.order = append(o.order, runID)
	} else {
		delete(o.byRun, o.order[o.next])
		o.order[o.next] = runID
		o.next = (o.next + 1) % maxRecalled
	}
	o.byRun[runID] = first
}

// recall is the result of the first attempt of a run, if this worker made it.
func (o *outcomes) recall(runID string) (firstAttempt, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	first, ok := o.byRun[runID]
	return first, ok
}
