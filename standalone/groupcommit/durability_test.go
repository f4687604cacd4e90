package groupcommit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// Ensure nobody learns of a commit before it is on the disk: not who made it, and not who reads it.
func TestNothingReturnsBeforeTheSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		synced := make(chan struct{})
		hold := false
		db := openWith(t, func() error {
			if hold {
				<-synced
			}
			return nil
		}, nil)
		defer db.Close()
		mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY)")

		hold = true
		tx, err := db.BeginTx(t.Context(), nil)
		require.NoError(t, err)
		_, err = tx.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_1')")
		require.NoError(t, err)
		var returned atomic.Int64
		var all sync.WaitGroup
		does := func(do func() error) {
			all.Go(func() {
				require.NoError(t, do())
				returned.Add(1)
			})
			synctest.Wait()
		}
		does(tx.Commit)
		does(func() error {
			_, err := db.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_2')")
			return err
		})
		does(func() error {
			var n int
			return db.QueryRowContext(t.Context(), "SELECT count(*) FROM events").Scan(&n)
		})
		does(func() error { // As of a duplicate, which the transaction finds and gives up.
			tx, err := db.BeginTx(t.Context(), nil)
			if err != nil {
				return err
			}
			var id string
			return errors.Join(tx.QueryRowContext(t.Context(), "SELECT id FROM events WHERE id = 'evt_1'").Scan(&id), tx.Rollback())
		})
		require.Zero(t, returned.Load())
		close(synced)
		all.Wait()
		require.Equal(t, 2, number(t, db, "SELECT count(*) FROM events"))
	})
}

// Ensure a commit that has returned is among what the last sync brought to the disk, which is all
// that a power failure leaves.
func TestCommitsSurviveAPowerFailure(t *testing.T) {
	t.Parallel()
	const callers, each = 16, 10
	folder, file := t.TempDir(), filepath.Join(t.TempDir(), "test.db")
	var (
		disks int
		disk  atomic.Pointer[string] // The folder that the last sync has filled.
	)
	db := openFileWith(t, file, func() error {
		disks++
		to := filepath.Join(folder, strconv.Itoa(disks))
		if err := os.Mkdir(to, 0o700); err != nil {
			return err
		}
		for _, name := range []string{file, file + "-wal"} {
			content, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(to, filepath.Base(name)), content, 0o600); err != nil {
				return err
			}
		}
		disk.Store(&to)
		return nil
	}, nil)
	defer db.Close()
	mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY)")
	var (
		mu      sync.Mutex
		stored  = make(map[string][]string) // The events that had to be on a disk.
		all     sync.WaitGroup
		failure = make([]error, callers)
	)
	for caller := range callers {
		all.Go(func() {
			for n := range each {
				id := fmt.Sprintf("evt_%d_%d", caller, n)
				_, err := db.ExecContext(t.Context(), "INSERT INTO events VALUES (?)", id)
				on := *disk.Load()
				mu.Lock()
				stored[on] = append(stored[on], id)
				mu.Unlock()
				failure[caller] = errors.Join(failure[caller], err)
			}
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(failure...))
	for on, ids := range stored {
		left, err := Open(filepath.Join(on, "test.db"), Options{})
		require.NoError(t, err)
		for _, id := range ids {
			require.Equal(t, 1, number(t, left.DB, "SELECT count(*) FROM events WHERE id = '"+id+"'"), id)
		}
		require.NoError(t, left.Close())
	}
}

func TestFailedSyncFailsEverythingAfterIt(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	var syncError error
	var failures []error
	db := openWith(t, func() error { return syncError }, func(err error) { failures = append(failures, err) })
	defer db.Close()
	mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY)")
	syncError = broken
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_1')")
	require.NoError(t, err)
	require.ErrorIs(t, tx.Commit(), broken)
	syncError = nil
	_, err = db.BeginTx(t.Context(), nil)
	require.ErrorIs(t, err, broken)
	_, err = db.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_2')")
	require.ErrorIs(t, err, broken)
	require.Len(t, failures, 1)
}

// Ensure a database that is closed while a commit waits for its sync lets it finish.
func TestCloseWaitsForTheSync(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		synced := make(chan struct{})
		var hold, failed bool
		db := openWith(t, func() error {
			if hold {
				<-synced
			}
			return nil
		}, func(error) { failed = true })
		mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY)")
		hold = true
		committed, closed := make(chan error, 1), make(chan error, 1)
		go func() {
			_, err := db.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_1')")
			committed <- err
		}()
		synctest.Wait()
		go func() { closed <- db.Close() }()
		synctest.Wait()
		require.Empty(t, closed)
		close(synced)
		require.NoError(t, <-committed)
		require.NoError(t, <-closed)
		require.False(t, failed)
	})
}
