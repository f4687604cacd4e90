package groupcommit

import (
	"context"
	"database/sql/driver"

	sqlite3 "modernc.org/sqlite/lib"
)

// conn is one caller's connection: its turns on the file. Like any of database/sql it is used by
// one goroutine at a time.
type conn struct {
	file *file
	// inTx says that a transaction has the turn, wrote that it has changed something.
	inTx, wrote bool
}

var (
	_ driver.ConnBeginTx    = (*conn)(nil)
	_ driver.ExecerContext  = (*conn)(nil)
	_ driver.QueryerContext = (*conn)(nil)
)

// BeginTx implements driver.ConnBeginTx. Transactions run one after the other, which is as isolated
// as can be.
func (c *conn) BeginTx(ctx context.Context, _ driver.TxOptions) (driver.Tx, error) {
	if err := c.file.begin(ctx, false); err != nil {
		return nil, err
	}
	if _, _, err := c.file.exec(beginTx, nil); err != nil {
		_ = c.file.end(false) // The first error tells more.
		return nil, err
	}
	c.inTx, c.wrote = true, false
	return tx{c}, nil
}

// ExecContext implements driver.ExecerContext.
func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (result driver.Result, err error) {
	err = c.inTurn(ctx, false, func() (wrote bool, err error) {
		result, wrote, err = c.file.exec(query, args)
		return wrote, err
	})
	return result, err
}

// QueryContext implements driver.QueryerContext.
func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (found driver.Rows, err error) {
	err = c.inTurn(ctx, true, func() (wrote bool, err error) {
		found, wrote, err = c.file.query(ctx, query, args)
		return wrote, err
	})
	return found, err
}

// inTurn runs a statement in the turn of its transaction, or else in one of its own. It runs none
// for a caller that has gone.
func (c *conn) inTurn(ctx context.Context, reads bool, run func() (wrote bool, err error)) error {
	if c.inTx {
		if err := ctx.Err(); err != nil {
			return err
		}
		wrote, err := run()
		c.wrote = c.wrote || wrote
		return err
	}
	if err := c.file.begin(ctx, reads); err != nil {
		return err
	}
	wrote, err := run()
	if synced := c.file.end(wrote); err == nil {
		err = synced
	}
	return err
}

// Close implements driver.Conn.
func (c *conn) Close() error {
	if c.inTx {
		return tx{c}.Rollback()
	}
	return nil
}

// Begin implements driver.Conn; database/sql calls BeginTx instead.
func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// Prepare implements driver.Conn. Every statement is kept prepared, so this one is only remembered.
func (c *conn) Prepare(query string) (driver.Stmt, error) { return &stmt{c, query}, nil }

// tx is the transaction of a connection.
type tx struct {
	*conn
}

// Commit implements driver.Tx. When it returns without an error, the transaction is on the disk.
func (t tx) Commit() error {
	_, _, err := t.file.exec(commitTx, nil)
	if err != nil {
		// Without this the transaction would go on, with no one to end it.
		_, _, _ = t.file.exec(rollbackTx, nil)
	}
	if synced := t.over(t.wrote); err == nil {
		err = synced
	}
	return err
}

// Rollback implements driver.Tx.
func (t tx) Rollback() error {
	_, _, err := t.file.exec(rollbackTx, nil)
	if sqliteCode(err) == sqlite3.SQLITE_ERROR {
		err = nil // SQLite has rolled it back itself, as when the disk is full.
	}
	if synced := t.over(false); err == nil {
		err = synced
	}
	return err
}

func (t tx) over(wrote bool) error {
	t.inTx = false
	return t.file.end(wrote)
}

// stmt is a statement that the caller keeps.
type stmt struct {
	conn  *conn
	query string
}

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

// ExecContext implements driver.StmtExecContext.
func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

// QueryContext implements driver.StmtQueryContext.
func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

// NumInput implements driver.Stmt: SQLite itself counts the arguments.
func (s *stmt) NumInput() int { return -1 }

// Close implements driver.Stmt.
func (s *stmt) Close() error { return nil }

// Exec implements driver.Stmt; database/sql calls ExecContext instead.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }

// Query implements driver.Stmt; database/sql calls QueryContext instead.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, driver.ErrSkip }
