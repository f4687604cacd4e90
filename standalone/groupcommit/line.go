package groupcommit

import (
	"container/heap"
	"context"
	"sync"
	"time"
)

// maxWaiting bounds the readers in line. Further ones are refused at once: they would wait for so
// long that nobody wants the answer.
const maxWaiting = 512

// line hands the turn on a file from one caller to the next, in the order in which they came. A
// caller that stands back is served as if it had come that much later, so that it lets others go
// first and yet has its turn in the end.
type line struct {
	mu      sync.Mutex
	taken   bool
	waiting waiters
	// readers is how many of those who wait only read.
	readers int
	// came counts those who waited.
	came uint64
}

// waiter is one that waits for its turn.
type waiter struct {
	reads bool
	// due is when it came and how far it stands back; number keeps the order among equals.
	due    time.Time
	number uint64
	// turn is closed when the turn is this waiter's. index is -1 from then on.
	turn  chan struct{}
	index int
}

// enter waits for the turn. It never takes the turn for a caller that has gone.
func (l *line) enter(ctx context.Context, back time.Duration, reads bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	if !l.taken {
		l.taken = true
		l.mu.Unlock()
		return nil
	}
	if reads && l.readers >= maxWaiting {
		l.mu.Unlock()
		return errBusy
	}
	l.came++
	w := &waiter{reads: reads, due: time.Now().Add(back), number: l.came, turn: make(chan struct{})}
	heap.Push(&l.waiting, w)
	l.count(w, 1)
	l.mu.Unlock()

	select {
	case <-w.turn:
	case <-ctx.Done():
		if l.withdraw(w) {
			return ctx.Err()
		}
	}
	if err := ctx.Err(); err != nil {
		l.leave()
		return err
	}
	return nil
}

// withdraw takes a waiter out of the line, and is false when it has the turn already.
func (l *line) withdraw(w *waiter) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.index < 0 {
		return false
	}
	heap.Remove(&l.waiting, w.index)
	l.count(w, -1)
	return true
}

// leave gives the turn to the next.
func (l *line) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == 0 {
		l.taken = false
		return
	}
	w := heap.Pop(&l.waiting).(*waiter)
	l.count(w, -1)
	close(w.turn)
}

func (l *line) count(w *waiter, n int) {
	if w.reads {
		l.readers += n
	}
}

// waiters is a heap of those who wait, the next first.
type waiters []*waiter

// Len implements sort.Interface.
func (w waiters) Len() int { return len(w) }

// Less implements sort.Interface.
func (w waiters) Less(i, j int) bool {
	if c := w[i].due.Compare(w[j].due); c != 0 {
		return c < 0
	}
	return w[i].number < w[j].number
}

// Swap implements sort.Interface.
func (w waiters) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

// Push implements heap.Interface.
func (w *waiters) Push(x any) {
	added := x.(*waiter)
	added.index = len(*w)
	*w = append(*w, added)
}

// Pop implements heap.Interface.
func (w *waiters) Pop() any {
	last := len(*w) - 1
	removed := (*w)[last]
	(*w)[last], *w = nil, (*w)[:last]
	removed.index = -1
	return removed
}
