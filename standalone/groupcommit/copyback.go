package groupcommit

import "context"

const (
	// logPages is from how many pages of 4 KiB on the write-ahead log is copied back into the file.
	// SQLite's 1000 would do it after every few workflows of a Temporal server.
	logPages = 8000
	// lookAfter is after how many commits the length of the log is looked at.
	lookAfter = 64
)

// copyBack copies the write-ahead log back into the file when it has become long. SQLite's own way
// of doing so hides its errors, and a sync that failed there would be taken for done the next time:
// the log would begin anew and what only it had be lost. Here it ends the database, like any failed
// sync. Another error is no harm: the log only becomes longer.
func (f *file) copyBack() {
	if f.commits++; f.commits%lookAfter != 0 {
		return
	}
	if length, copied, ok := f.checkpoint("NOOP"); ok && length-copied >= logPages {
		f.checkpoint("PASSIVE")
	}
}

// checkpoint runs SQLite's pragma and returns how many pages the log has, and how many of them are
// copied.
func (f *file) checkpoint(mode string) (length, copied int64, ok bool) {
	found, _, err := f.query(context.Background(), "PRAGMA wal_checkpoint("+mode+")", nil)
	if err != nil || len(found.values) != 1 || len(found.values[0]) != 3 {
		return 0, 0, false
	}
	length, _ = found.values[0][1].(int64)
	copied, _ = found.values[0][2].(int64)
	return length, copied, true
}
