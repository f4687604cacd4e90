package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"modernc.org/sqlite"
)

// backupPages is how many pages are copied between two looks at whether to go on.
const backupPages = 1000

// partial ends the name of a backup that is not complete.
const partial = ".partial"

// Backup copies the databases of a data folder into a new folder, as they are at one moment, while
// a process may use them. What that process has acknowledged before the call is in the copy. It
// waits for the locks of both files, some milliseconds, and for the copy afterwards, which keeps
// nobody waiting.
//
// The folder appears under its name when the copy is complete and on the disk. It must not be there
// before. The files of the folder that also belong to the copy are named by others.
func Backup(ctx context.Context, dataDir, target string, others ...string) (err error) {
	files := filesIn(dataDir)
	for _, file := range []string{files.main, files.visibility} {
		if !exists(file) {
			return fmt.Errorf("%s is missing; --data must be the folder of a Courier's data", file)
		}
	}
	if exists(target) {
		return fmt.Errorf("%s is there already; name a folder that is not", target)
	}
	folder := target + partial
	if err := os.RemoveAll(folder); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("the folder %s cannot be created: %w", folder, cause(err))
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(folder))
		}
	}()
	if err := copyDatabases(ctx, files, filesIn(folder)); err != nil {
		return err
	}
	for _, name := range others {
		if err := copyFile(filepath.Join(dataDir, name), filepath.Join(folder, name)); err != nil {
			return err
		}
	}
	if err := syncDir(folder); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := os.Rename(folder, target); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	if err := syncDir(filepath.Dir(target)); err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	return nil
}

// copyDatabases copies both files as they are at one moment. A write to the list of workflows
// follows one to the main file, so without the common moment one of the copies could lack what the
// other relies on.
func copyDatabases(ctx context.Context, from, to databaseFiles) (err error) {
	var sources []*source
	defer func() {
		for _, s := range sources {
			err = errors.Join(err, s.close())
		}
	}()
	for _, path := range []string{from.main, from.visibility} {
		s, err := openSource(ctx, path)
		if err != nil {
			return fmt.Errorf("database %s: %w", path, err)
		}
		sources = append(sources, s)
	}
	// No one can write while both locks are held, so both readers begin at the same moment.
	for _, step := range []func(*source) error{(*source).lock, (*source).pin, (*source).unlock} {
		for _, s := range sources {
			if err := step(s); err != nil {
				return fmt.Errorf("database %s: %w", s.path, err)
			}
		}
	}
	for i, path := range []string{to.main, to.visibility} {
		if err := sources[i].copyTo(path); err != nil {
			return fmt.Errorf("backup of %s: %w", sources[i].path, err)
		}
	}
	return nil
}

// source is a database that is copied: one connection keeps writers away, the other reads.
type source struct {
	ctx            context.Context //nolint:containedctx // of one backup, and no longer
	path           string
	db             *sql.DB
	writer, reader *sql.Conn
}

func openSource(ctx context.Context, path string) (*source, error) {
	query := url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout=10000"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	s := &source{ctx: ctx, path: path, db: db}
	if s.writer, err = db.Conn(ctx); err == nil {
		s.reader, err = db.Conn(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *source) close() error {
	for _, conn := range []*sql.Conn{s.writer, s.reader} {
		if conn != nil {
			_ = conn.Close() // what it has open is rolled back
		}
	}
	return s.db.Close()
}

func (s *source) lock() error {
	_, err := s.writer.ExecContext(s.ctx, "BEGIN IMMEDIATE")
	return err
}

// pin has the reader see the file as it is now for as long as its transaction lasts.
func (s *source) pin() error {
	if _, err := s.reader.ExecContext(s.ctx, "BEGIN"); err != nil {
		return err
	}
	var tables int
	return s.reader.QueryRowContext(s.ctx, "SELECT count(*) FROM sqlite_master").Scan(&tables)
}

func (s *source) unlock() error {
	_, err := s.writer.ExecContext(s.ctx, "ROLLBACK")
	return err
}

// copyTo writes what the reader sees into a new file.
func (s *source) copyTo(path string) error {
	// The file is created here because SQLite would make it readable for everybody.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return cause(err)
	}
	defer func() { _ = file.Close() }() // what was written is synced before
	err = s.reader.Raw(func(conn any) error {
		backup, err := conn.(interface {
			NewBackup(uri string) (*sqlite.Backup, error)
		}).NewBackup("file:" + (&url.URL{Path: path}).EscapedPath())
		if err != nil {
			return err
		}
		for more := true; more && err == nil; {
			if more, err = backup.Step(backupPages); err == nil {
				err = s.ctx.Err()
			}
		}
		return errors.Join(err, backup.Finish())
	})
	if err != nil {
		return err
	}
	return file.Sync()
}

// copyFile copies a small file that only its owner may read. One that is not there is left out.
func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	file, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}
