package groupcommit

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// disk is a disk whose syncs take a while.
type disk struct {
	syncs int
	takes time.Duration
	err   error
}

func (d *disk) sync() error {
	d.syncs++
	<-time.After(d.takes) // Of the test's own time.
	return d.err
}

// commit is a caller with a turn of its own, that lasts.
func commit(s *syncs, lasts time.Duration) error {
	s.enter()
	<-time.After(lasts)
	return s.wait(s.leave(true))
}

func TestCommitWaitsForItsSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{takes: time.Second}
		s := newSyncs(d.sync, nil)
		began := time.Now()
		require.NoError(t, commit(s, 0))
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, 1, d.syncs)

		// Nobody waits again for a commit that is on the disk.
		require.NoError(t, s.wait(1))
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, 1, d.syncs)
	})
}

// A sync that has begun may have missed a commit, so that one waits for the next, with all the
// others.
func TestCommitsDuringASyncShareTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{takes: time.Second}
		s := newSyncs(d.sync, nil)
		began := time.Now()
		took := make(chan time.Duration, 10)
		one := func() {
			require.NoError(t, commit(s, 0))
			took <- time.Since(began)
		}
		go one()
		<-time.After(500 * time.Millisecond)
		for range 9 {
			go one()
		}
		require.Equal(t, time.Second, <-took)
		for range 9 {
			require.Equal(t, 2*time.Second, <-took)
		}
		require.Equal(t, 2, d.syncs)
	})
}

func TestCommitWaitsForThoseInLine(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		giveOther time.Duration
		wantTook  time.Duration
		wantSyncs int
	}{
		{name: "soon done", giveOther: maxGather / 2, wantTook: maxGather/2 + time.Second, wantSyncs: 1},
		{name: "not for long", giveOther: 10 * maxGather, wantTook: maxGather + time.Second, wantSyncs: 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := &disk{takes: time.Second}
				s := newSyncs(d.sync, nil)
				began, other := time.Now(), make(chan error)
				go func() { other <- commit(s, tt.giveOther) }()
				synctest.Wait()
				require.NoError(t, commit(s, 0))
				require.Equal(t, tt.wantTook, time.Since(began))
				require.NoError(t, <-other)
				require.Equal(t, tt.wantSyncs, d.syncs)
			})
		})
	}
}

// A read may see a commit that is not on the disk yet, and its result must not leave before it is.
func TestReaderWaitsForTheCommitsOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &disk{takes: time.Second}
		s := newSyncs(d.sync, nil)
		began := time.Now()
		go func() { _ = commit(s, 0) }()
		synctest.Wait()
		s.enter()
		require.NoError(t, s.wait(s.leave(false)))
		require.Equal(t, time.Second, time.Since(began))
		require.Equal(t, 1, d.syncs)
	})
}

func TestFailedSyncEndsItAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("input/output error")
		d := &disk{takes: time.Second, err: broken}
		var failures []error
		s := newSyncs(d.sync, func(err error) { failures = append(failures, err) })
		errs := make(chan error, 3)
		for range 3 {
			go func() { errs <- commit(s, 0) }()
		}
		for range 3 {
			require.ErrorIs(t, <-errs, broken)
		}
		// A later sync may well succeed, and yet what the first should have written be lost.
		d.err = nil
		require.ErrorIs(t, s.failure(), broken)
		require.ErrorIs(t, commit(s, 0), broken)
		require.Equal(t, 1, d.syncs)
		require.Len(t, failures, 1)
	})
}
