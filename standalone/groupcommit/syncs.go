package groupcommit

import (
	"fmt"
	"sync"
	"time"
)

// maxGather bounds how long a commit waits for others to be synced with.
const maxGather = 2 * time.Millisecond

// syncs brings commits to the disk, several at once. A caller that waits for a commit and finds
// nobody syncing does it, for all.
type syncs struct {
	sync   func() error
	failed func(error)

	mu sync.Mutex
	// ended is signalled when a sync has ended.
	ended *sync.Cond
	// callers is how many wait for the turn or have it.
	callers int
	// committed counts commits, and synced those of them that are on the disk.
	committed, synced uint64
	// syncing says that someone syncs, or is about to.
	syncing bool
	// alone, when not nil, is closed when there is no caller any more.
	alone chan struct{}
	// err is the failure that ended it all.
	err error
}

func newSyncs(syncLog func() error, failed func(error)) *syncs {
	s := &syncs{sync: syncLog, failed: failed}
	s.ended = sync.NewCond(&s.mu)
	return s
}

// enter says that a caller wants the turn.
func (s *syncs) enter() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.callers++
}

// leave says that a caller has had its turn, and whether it committed something. It returns how
// many commits there are.
func (s *syncs) leave(committed bool) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if committed {
		s.committed++
	}
	if s.callers--; s.callers == 0 && s.alone != nil {
		close(s.alone)
		s.alone = nil
	}
	return s.committed
}

// wait returns when the first n commits are on the disk.
func (s *syncs) wait(n uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.synced < n && s.err == nil {
		if s.syncing {
			s.ended.Wait()
		} else {
			s.lead()
		}
	}
	return s.err
}

// lead syncs everything that is committed by then, for all who wait.
func (s *syncs) lead() {
	s.syncing = true
	s.gather()
	n := s.committed
	s.mu.Unlock()
	err := s.sync()
	s.mu.Lock()
	s.syncing = false
	if err == nil {
		s.synced = n
	} else {
		s.end(err)
	}
	s.ended.Broadcast()
}

// fail ends it all because a sync failed that somebody else made.
func (s *syncs) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end(err)
	s.ended.Broadcast()
}

// end keeps the first failure and reports it.
func (s *syncs) end(err error) {
	if s.err != nil {
		return
	}
	s.err = fmt.Errorf("sync: %w", err)
	if s.failed != nil {
		s.failed(s.err)
	}
}

// gather waits a little for those who are in line, since the same sync covers them.
func (s *syncs) gather() {
	if s.callers == 0 {
		return
	}
	alone := make(chan struct{})
	s.alone = alone
	s.mu.Unlock()
	timer := time.NewTimer(maxGather)
	select {
	case <-alone:
	case <-timer.C:
	}
	timer.Stop()
	s.mu.Lock()
	s.alone = nil
}

// failure is the failure after which nothing is committed any more.
func (s *syncs) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
