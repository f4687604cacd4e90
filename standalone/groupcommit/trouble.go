package groupcommit

import (
	"errors"
	"slices"
	"sync"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// lastWrite is how the last attempt to write ended.
type lastWrite struct {
	mu  sync.Mutex
	at  time.Time
	err error
}

func (l *lastWrite) went(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at, l.err = time.Now(), err
}

func (l *lastWrite) read() (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at, l.err
}

// Full reports whether an error says that the disk has no room.
func Full(err error) bool { return sqliteCode(err)&primary == sqlite3.SQLITE_FULL }

// primary are the bits of SQLite's codes that say the kind of an error; the others say where it
// happened.
const primary = 0xff

// sqliteCode is SQLite's code of an error, or 0.
func sqliteCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()
	}
	return 0
}

// failedSync says that SQLite itself could not bring something to the disk.
func failedSync(code int) bool {
	return code == sqlite3.SQLITE_IOERR_FSYNC || code == sqlite3.SQLITE_IOERR_DIR_FSYNC
}

// unusable says that an error is the file's or the disk's, not the statement's.
func unusable(code int) bool { return slices.Contains(fileErrors, code&primary) }

var fileErrors = []int{
	sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM,
	sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL,
	sqlite3.SQLITE_NOMEM,
}
