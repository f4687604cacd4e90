package groupcommit

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// maxStatements bounds the statements that are kept prepared. A Temporal server has some 150, and
// one more for each form of a query.
const maxStatements = 400

// connection is what the driver's connection can do.
type connection interface {
	driver.Conn
	driver.ConnPrepareContext
}

// file is the one connection to a database file, and whose turn it is to use it.
type file struct {
	line  line
	syncs *syncs
	log   io.Closer
	// back is how far a caller stands back in line. Nil is not at all.
	back func(context.Context) time.Duration
	last lastWrite

	// These are for the caller that has the turn.
	connection connection
	statements map[string]*statement
	commits    int
	closed     bool
}

// statement is a prepared statement.
type statement struct {
	prepared
	// writes says that it may change something; what cannot needs no sync.
	writes bool
}

// prepared is what the driver's statement can do.
type prepared interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

func newFile(c connection, s *syncs, log io.Closer) *file {
	return &file{syncs: s, log: log, connection: c, statements: make(map[string]*statement)}
}

// begin waits for the turn. reads says that the caller will not write.
func (f *file) begin(ctx context.Context, reads bool) error {
	var back time.Duration
	if f.back != nil {
		back = f.back(ctx)
	}
	f.syncs.enter()
	if err := f.line.enter(ctx, back, reads); err != nil {
		f.syncs.leave(false)
		return err
	}
	err := f.syncs.failure()
	if f.closed {
		err = errClosed
	}
	if err != nil {
		f.syncs.leave(false)
		f.line.leave()
	}
	return err
}

// end gives the turn to the next and returns when all that was committed so far is on the disk,
// also what others wrote: the caller may have read it.
func (f *file) end(committed bool) error {
	if committed {
		f.copyBack()
	}
	last := f.syncs.leave(committed)
	f.line.leave()
	err := f.syncs.wait(last)
	if committed && err == nil {
		f.last.went(nil)
	}
	return err
}

// exec runs a statement that returns no rows. A statement runs to its end, whatever becomes of its
// caller: it takes less than a millisecond, and half of a transaction helps nobody.
func (f *file) exec(query string, args []driver.NamedValue) (result driver.Result, wrote bool, err error) {
	err = f.with(query, func(s *statement) error {
		wrote = s.writes
		result, err = s.ExecContext(context.Background(), args)
		return err
	})
	return result, wrote, err
}

// query runs a statement and reads all its rows, since they cannot be read after the turn. It ends
// early with ctx.
func (f *file) query(ctx context.Context, query string, args []driver.NamedValue) (result *rows, wrote bool, err error) {
	err = f.with(query, func(s *statement) error {
		wrote = s.writes
		found, err := s.QueryContext(ctx, args)
		if err != nil {
			return err
		}
		result, err = readAll(found)
		if closed := found.Close(); err == nil {
			err = closed
		}
		return err
	})
	return result, wrote, err
}

// with prepares a statement, unless it is, and runs it.
func (f *file) with(query string, run func(*statement) error) error {
	err := f.prepared(query, run)
	switch code := sqliteCode(err); {
	case failedSync(code):
		f.syncs.fail(err)
	case unusable(code):
		f.last.went(err)
	}
	return err
}

func (f *file) prepared(query string, run func(*statement) error) error {
	if s, ok := f.statements[query]; ok {
		return run(s)
	}
	stmt, err := f.connection.PrepareContext(context.Background(), query)
	if err != nil {
		return err
	}
	first := verb(query)
	s := &statement{prepared: stmt.(prepared), writes: first != "SELECT"}
	if !slices.Contains(kept, first) {
		err := run(s)
		if closed := s.Close(); err == nil {
			err = closed
		}
		return err
	}
	if len(f.statements) == maxStatements {
		for old, s := range f.statements { // Any will do: what is needed often is soon back.
			delete(f.statements, old)
			_ = s.Close() // It says how the statement last went, which its caller knows.
			break
		}
	}
	f.statements[query] = s
	return run(s)
}

// kept are the statements that are kept prepared. Some others, such as a PRAGMA, have their effect
// when they are prepared.
var kept = []string{"SELECT", "INSERT", "REPLACE", "UPDATE", "DELETE", beginTx, commitTx, rollbackTx}

// The statements of transactions.
const (
	beginTx    = "BEGIN"
	commitTx   = "COMMIT"
	rollbackTx = "ROLLBACK"
)

// verb is the first word of a statement.
func verb(query string) string {
	query = strings.TrimSpace(query)
	if end := strings.IndexFunc(query, func(r rune) bool { return r < 'A' || r > 'z' }); end >= 0 {
		query = query[:end]
	}
	return strings.ToUpper(query)
}

// close closes the file when everything that was committed is on the disk.
func (f *file) close() error {
	f.syncs.enter()
	if err := f.line.enter(context.Background(), 0, false); err != nil {
		return err
	}
	defer f.line.leave()
	errs := []error{f.syncs.wait(f.syncs.leave(false))}
	if f.closed {
		return nil
	}
	f.closed = true
	for _, s := range f.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, f.connection.Close(), f.log.Close())...)
}
