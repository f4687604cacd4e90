package groupcommit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

func openTest(t *testing.T) (*sql.DB, string) {
	t.Helper()
	// The characters have a meaning in the URI that the driver takes.
	path := filepath.Join(t.TempDir(), "a?b#c%20d e.db")
	db, err := Open(path, Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	return db.DB, path
}

// openWith opens a database whose syncs are the test's.
func openWith(t *testing.T, syncLog func() error, failed func(error)) *sql.DB {
	t.Helper()
	return openFileWith(t, filepath.Join(t.TempDir(), "test.db"), syncLog, failed)
}

func openFileWith(t *testing.T, path string, syncLog func() error, failed func(error)) *sql.DB {
	t.Helper()
	opened, err := new(sqlite.Driver).Open(dataSource(path))
	require.NoError(t, err)
	return sql.OpenDB(&connector{newFile(opened.(connection), newSyncs(syncLog, failed), &log{})})
}

func mustExec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	require.NoError(t, err)
}

func number(t *testing.T, db *sql.DB, query string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRowContext(t.Context(), query).Scan(&n))
	return n
}

func TestFileKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	db, path := openTest(t)
	mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY, at TIMESTAMP, body BLOB, note TEXT)")
	at := time.Date(2026, 11, 22, 4, 5, 6, 789e6, time.UTC)
	mustExec(t, db, "INSERT INTO events VALUES (?, ?, ?, ?)", "evt_1", at, []byte{0, 1, 255}, nil)
	var mode string
	require.NoError(t, db.QueryRowContext(t.Context(), "PRAGMA journal_mode").Scan(&mode))
	require.Equal(t, "wal", mode)
	require.Equal(t, 1, number(t, db, "PRAGMA synchronous"), "1 is NORMAL: the log is synced here")
	require.FileExists(t, path+"-wal")
	require.NoError(t, db.Close())
	require.NoFileExists(t, path+"-wal")
	require.ErrorContains(t, db.PingContext(t.Context()), "closed")

	again, err := Open(path, Options{})
	require.NoError(t, err)
	defer again.Close()
	var (
		gotAt time.Time
		body  []byte
		note  sql.NullString
	)
	require.NoError(t, again.QueryRowContext(t.Context(), "SELECT at, body, note FROM events WHERE id = ?", "evt_1").Scan(&gotAt, &body, &note))
	require.True(t, at.Equal(gotAt), gotAt)
	require.Equal(t, []byte{0, 1, 255}, body)
	require.False(t, note.Valid)
}

// Ensure transactions run one after the other, however many there are, and share syncs.
func TestTransactionsAreIsolated(t *testing.T) {
	t.Parallel()
	const callers, each = 32, 20
	var syncs atomic.Int64
	db := openWith(t, func() error { syncs.Add(1); return nil }, nil)
	defer db.Close()
	mustExec(t, db, "CREATE TABLE counter (n INT)")
	mustExec(t, db, "INSERT INTO counter VALUES (0)")
	syncs.Store(0)
	increment := func() error {
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(t.Context(), "SELECT n FROM counter").Scan(&n); err != nil {
			return err
		}
		if _, err := tx.ExecContext(t.Context(), "UPDATE counter SET n = ?", n+1); err != nil {
			return err
		}
		return tx.Commit()
	}
	errs := make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for range each {
				errs[i] = errors.Join(errs[i], increment())
			}
		})
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
	require.Equal(t, callers*each, number(t, db, "SELECT n FROM counter"))
	require.Less(t, syncs.Load(), int64(callers*each), "no sync covered more than one commit")
}

// They run one after the other on one database, which each must leave usable.
//
//nolint:tparallel // See above.
func TestRollbackAndErrorsLeaveNothingAndGiveTheTurnBack(t *testing.T) {
	t.Parallel()
	db, _ := openTest(t)
	mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY)")
	mustExec(t, db, "INSERT INTO events VALUES ('evt_1')")
	cancelled, cancel := context.WithCancel(t.Context())
	tests := []struct {
		name string
		give func() error
	}{
		{name: "rollback", give: func() error {
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_2')")
			require.NoError(t, err)
			require.NoError(t, tx.Rollback())
			return errors.New("given up")
		}},
		{name: "duplicate", give: func() error {
			_, err := db.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_1')")
			var failure *sqlite.Error // The server recognizes duplicates by it.
			require.ErrorAs(t, err, &failure)
			require.Equal(t, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, failure.Code())
			return err
		}},
		{name: "no such table", give: func() error {
			_, err := db.QueryContext(t.Context(), "SELECT * FROM nothing")
			return err
		}},
		{name: "no SQL", give: func() error {
			_, err := db.ExecContext(t.Context(), "INSERT nothing")
			return err
		}},
		{name: "the transaction's context ends", give: func() error {
			tx, err := db.BeginTx(cancelled, nil)
			require.NoError(t, err)
			_, err = tx.ExecContext(t.Context(), "INSERT INTO events VALUES ('evt_2')")
			require.NoError(t, err)
			cancel()
			for err == nil { // Until database/sql has rolled it back.
				_, err = tx.ExecContext(t.Context(), "SELECT 1")
			}
			return err
		}},
		{name: "the context has ended before the turn", give: func() error {
			tx, err := db.BeginTx(t.Context(), nil)
			require.NoError(t, err)
			waiting, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			_, err = db.ExecContext(waiting, "INSERT INTO events VALUES ('evt_3')")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.NoError(t, tx.Rollback())
			return err
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Error(t, tt.give())
			require.Equal(t, 1, number(t, db, "SELECT count(*) FROM events"))
		})
	}
}

// Ensure statements are kept, few enough of them, and follow a change of their table.
func TestStatementsAreKept(t *testing.T) {
	t.Parallel()
	opened, err := new(sqlite.Driver).Open(dataSource(filepath.Join(t.TempDir(), "test.db")))
	require.NoError(t, err)
	f := newFile(opened.(connection), newSyncs(func() error { return nil }, nil), &log{})
	db := sql.OpenDB(&connector{f})
	defer db.Close()
	mustExec(t, db, "CREATE TABLE events (id TEXT)")
	mustExec(t, db, "INSERT INTO events VALUES ('evt_1')")
	require.NotContains(t, f.statements, "CREATE TABLE events (id TEXT)")

	const all = "\n\tselect * FROM events"
	columns := func() []string {
		rows, err := db.QueryContext(t.Context(), all)
		require.NoError(t, err)
		defer rows.Close()
		names, err := rows.Columns()
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Err())
		return names
	}
	require.Equal(t, []string{"id"}, columns())
	first := f.statements[all]
	require.NotNil(t, first)
	require.False(t, first.writes)
	require.Equal(t, []string{"id"}, columns())
	require.Same(t, first, f.statements[all])
	mustExec(t, db, "ALTER TABLE events ADD COLUMN space TEXT")
	require.Equal(t, []string{"id", "space"}, columns())

	for i := range maxStatements + 10 {
		require.Equal(t, i, number(t, db, fmt.Sprint("SELECT ", i)))
	}
	require.Len(t, f.statements, maxStatements)
}

// Ensure a statement that the caller prepares works in and outside of transactions.
func TestPreparedStatement(t *testing.T) {
	t.Parallel()
	db, _ := openTest(t)
	mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY)")
	insert, err := db.PrepareContext(t.Context(), "INSERT INTO events VALUES (?)")
	require.NoError(t, err)
	_, err = insert.ExecContext(t.Context(), "evt_1")
	require.NoError(t, err)
	tx, err := db.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	result, err := tx.StmtContext(t.Context(), insert).ExecContext(t.Context(), "evt_2")
	require.NoError(t, err)
	affected, err := result.RowsAffected()
	require.NoError(t, err)
	require.Equal(t, int64(1), affected)
	require.NoError(t, tx.Commit())
	require.NoError(t, insert.Close())
	require.Equal(t, 2, number(t, db, "SELECT count(*) FROM events"))
}

// Ensure a query that takes long ends with its caller, and the next one runs.
func TestLongQueryEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	db, _ := openTest(t)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var n int64
	err := db.QueryRowContext(ctx, "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c").Scan(&n)
	require.Error(t, err)
	require.Equal(t, 1, number(t, db, "SELECT 1"))
}

// Ensure another process can read the file meanwhile, such as one that makes a copy.
func TestOthersMayReadTheFile(t *testing.T) {
	t.Parallel()
	db, path := openTest(t)
	mustExec(t, db, "CREATE TABLE events (id TEXT PRIMARY KEY)")
	mustExec(t, db, "INSERT INTO events VALUES ('evt_1')")
	other, err := sql.Open("sqlite", dataSource(path))
	require.NoError(t, err)
	require.Equal(t, 1, number(t, other, "SELECT count(*) FROM events"))
	require.NoError(t, other.Close())
	mustExec(t, db, "INSERT INTO events VALUES ('evt_2')")
	require.Equal(t, 2, number(t, db, "SELECT count(*) FROM events"))
}
