// Package groupcommit opens SQLite files for programs with many short transactions at the same
// time: one connection to the file serves them all in turn, keeps their statements prepared, and
// one sync of the disk covers the commits of several.
//
// SQLite has a single writer. With a connection for each caller they contend; with one, each commit
// has all others wait until the disk has synced it. Here the next transaction begins meanwhile. A
// caller goes on only when everything that it wrote or read is on the disk, so a commit is as
// durable as with SQLite's own "synchronous = FULL".
//
// Two callers that are each in a transaction and wait for each other block for ever, as with any
// pool of one connection.
package groupcommit

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite"
)

// idleConnections bounds the connections that database/sql keeps. Each is no more than a place in
// the queue.
const idleConnections = 64

// pragmas are the settings of the connection, in the order in which they are made.
var pragmas = []string{
	// How long to wait for another process that has the file open, such as a backup, in
	// milliseconds.
	"busy_timeout=10000",
	"journal_mode=wal",
	// The write-ahead log is written at a commit and not synced: that is done here, for several
	// commits at once.
	"synchronous=normal",
	// SQLite would not say when a sync fails that belongs to copying the log back, so this is done
	// here. See copyBack.
	"wal_autocheckpoint=0",
}

// Options say how a database is used.
type Options struct {
	// Failed, when not nil, is called once when a sync has failed. Recent commits may be lost then,
	// which the file itself does not tell, and so everything that is asked of the database from
	// then on fails; the process should end. Failed must not wait for the database.
	Failed func(error)

	// Back, when not nil, says how far a caller stands back in line: it is served as if it had come
	// that much later, so that those who do not stand back go first and nobody waits for ever.
	Back func(context.Context) time.Duration

	// Sync brings a file to the disk. Defaults to (*os.File).Sync.
	Sync func(*os.File) error
}

// Database is an open file.
type Database struct {
	*sql.DB
	file *file
}

// Open opens the database in the file at path, which is created when it is missing, with SQLite's
// write-ahead log.
func Open(path string, o Options) (*Database, error) {
	opened, err := new(sqlite.Driver).Open(dataSource(path))
	if err != nil {
		return nil, err
	}
	if o.Sync == nil {
		o.Sync = (*os.File).Sync
	}
	wal := &log{path: path + "-wal", syncFile: o.Sync}
	f := newFile(opened.(connection), newSyncs(wal.sync, o.Failed), wal)
	f.back = o.Back
	// Where SQLite cannot have the log, as on some network drives, it goes on without, and the
	// syncs would be of nothing.
	mode, _, err := f.query(context.Background(), "PRAGMA journal_mode", nil)
	if err == nil && fmt.Sprint(mode.values) != "[[wal]]" {
		err = errNoLog
	}
	if err != nil {
		_ = f.close() // The first error tells more.
		return nil, err
	}
	db := sql.OpenDB(&connector{f})
	db.SetMaxIdleConns(idleConnections)
	return &Database{DB: db, file: f}, nil
}

// LastWrite says how the last attempt to write ended, and when: with nil when it is on the disk, or
// else with the reason why the file cannot be written or read. Errors that are the statement's own,
// such as a duplicate, are no such reason. The time is zero before the first attempt.
func (d *Database) LastWrite() (time.Time, error) {
	if err := d.file.syncs.failure(); err != nil {
		return time.Now(), err
	}
	return d.file.last.read()
}

// dataSource is the name by which the driver opens a file: a URI, in which a path's ?, # and %
// would have a meaning.
func dataSource(path string) string {
	query := url.Values{"mode": {"rwc"}, "_time_format": {"sqlite"}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + query.Encode()
}

// connector hands out connections that share one file.
type connector struct {
	file *file
}

// Connect implements driver.Connector.
func (c *connector) Connect(context.Context) (driver.Conn, error) { return &conn{file: c.file}, nil }

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return new(sqlite.Driver) }

// Close implements io.Closer; database/sql calls it when the database is closed.
func (c *connector) Close() error { return c.file.close() }

// log is SQLite's write-ahead log, beside the database. It stays the same file for as long as a
// connection is open.
type log struct {
	path     string
	syncFile func(*os.File) error
	file     *os.File
}

// sync brings the log to the disk. It is not called by two at the same time.
func (l *log) sync() error {
	if l.file == nil {
		file, err := os.OpenFile(l.path, os.O_RDWR, 0)
		if errors.Is(err, os.ErrNotExist) {
			return nil // SQLite creates it with the first change.
		}
		if err != nil {
			return err
		}
		l.file = file
	}
	return l.syncFile(l.file)
}

// Close implements io.Closer.
func (l *log) Close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}

var (
	errBusy   = errors.New("too many callers wait for the database")
	errClosed = errors.New("the database is closed")
	errNoLog  = errors.New("its folder cannot have a write-ahead log; put it on a local disk")
)
