package engine

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/gitbook-courier/courier/standalone/groupcommit"
)

const (
	// recentWrite is for how long a write that reached the disk shows that others will.
	recentWrite = 2 * time.Second
	// probeWrite bounds a write that is made to find out.
	probeWrite = 2 * time.Second
	// minFree is the room that the disk must have, in bytes: for a few of the largest events in both
	// files and their logs.
	minFree = 16 << 20
)

// Storable finds out whether the server can store something now: by the last write to its files,
// or by one of its own when that was a while ago or failed. The error says in one line what is in
// the way, without paths.
func (e *Engine) Storable(ctx context.Context) error {
	if free, err := freeBytes(e.dataDir); err == nil && free < minFree {
		return errors.New("nothing can be stored: the disk of the data folder is full; free some space")
	}
	ctx, cancel := context.WithTimeout(ctx, probeWrite)
	defer cancel()
	for _, db := range e.databases.all() {
		at, err := db.LastWrite()
		if err != nil || time.Since(at) > recentWrite {
			// It changes nothing, and is written and synced like any other change.
			_, err = db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion))
		}
		switch {
		case err == nil:
		case groupcommit.Full(err):
			return errors.New("nothing can be stored: the disk of the data folder is full; free some space")
		case ctx.Err() != nil:
			return errors.New("nothing can be stored: the disk of the data folder does not answer in time")
		default:
			return errors.New("nothing can be stored: the files of the data folder cannot be written; check the disk")
		}
	}
	return nil
}

// freeBytes is the room that is left on the disk of a folder.
func freeBytes(dir string) (uint64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, err
	}
	return fs.Bavail * uint64(fs.Bsize), nil
}
