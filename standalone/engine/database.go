package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"
)

const (
	// schemaVersion is kept in each file as its user_version. It stands for the tables of Temporal server 1.32; a server that needs
	// other tables needs another number and a migration.
	schemaVersion = 1

	// visibilityTable is the one table of the visibility schema; its triggers and search tables carry its name too.
	visibilityTable = "executions_visibility"
)

// databaseFiles are the engine's two databases. The list of workflows ("visibility") has a file of its own, because the two then do not
// wait for each other's commits.
type databaseFiles struct {
	main, visibility string
}

// filesIn names the database files of a data folder.
func filesIn(dir string) databaseFiles {
	return databaseFiles{
		main:       filepath.Join(dir, "temporal.db"),
		visibility: filepath.Join(dir, "visibility.db"),
	}
}

// sqlConfig opens a file durably: a commit is on the disk when it returns, even if the power fails then. The server opens one
// connection for each file, since SQLite has one writer and more would only contend.
func sqlConfig(path string) *config.SQL {
	return &config.SQL{
		PluginName: sqlite.PluginName,
		// The driver takes a URI, in which a path's ?, # and % would have a meaning.
		DatabaseName: (&url.URL{Path: path}).EscapedPath(),
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"busy_timeout": "10000",
			"journal_mode": "wal",
			"synchronous":  "full",
			// In pages of 4 KiB. The default of 1000 would copy the log back into the file after every few workflows.
			"wal_autocheckpoint": "8000",
		},
	}
}

// open opens a file with the same settings as the server does.
func open(path string) (*sql.DB, error) {
	cfg := sqlConfig(path)
	query := url.Values{"_time_format": {"sqlite"}, "mode": {cfg.ConnectAttributes["mode"]}}
	for _, pragma := range []string{"busy_timeout", "journal_mode", "synchronous", "wal_autocheckpoint"} {
		query.Add("_pragma", pragma+"="+cfg.ConnectAttributes[pragma])
	}
	db, err := sql.Open(sqlite.PluginName, "file:"+cfg.DatabaseName+"?"+query.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// prepare makes both files ready for the server: tables, namespace, search attributes and their indexes.
func (f databaseFiles) prepare(ctx context.Context, o Options) error {
	// The main file comes last, so that it exists only beside a complete visibility file.
	if exists(f.main) && !exists(f.visibility) {
		return fmt.Errorf("%s is missing beside %s; restore it from a backup or set COURIER_DATA to another folder", f.visibility, f.main)
	}
	for _, path := range []string{f.visibility, f.main} {
		if err := prepareFile(ctx, path, f.statements(path)); err != nil {
			return err
		}
	}
	if err := syncDir(filepath.Dir(f.main)); err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	fields, err := ensureNamespace(ctx, sqlConfig(f.main), o)
	if err != nil {
		return fmt.Errorf("namespace %s: %w", o.Namespace, err)
	}
	if err := f.index(ctx, fields); err != nil {
		return fmt.Errorf("database %s: index: %w", f.visibility, err)
	}
	return nil
}

// statements returns a filter for the part of the server's schema that belongs into a file. The indexes of the list of workflows are
// left to index.
func (f databaseFiles) statements(path string) func(stmt string) bool {
	return func(stmt string) bool {
		return strings.Contains(stmt, visibilityTable) == (path == f.visibility) && !visibilityIndex.MatchString(stmt)
	}
}

// prepareFile creates a file's tables in one transaction, or recognizes them. It finds out whether the file can be read and written, so
// that the server does not have to.
func prepareFile(ctx context.Context, path string, wanted func(stmt string) bool) error {
	// The file is created here because SQLite would make it readable for everybody.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("the database %s cannot be written (%w); check the rights of the folder and the file", path, cause(err))
	}
	if err := file.Close(); err != nil {
		return err
	}
	db, err := open(path)
	if err != nil {
		return fmt.Errorf("database %s: %w", path, err)
	}
	defer db.Close()

	if err := recognize(ctx, db, wanted); err != nil {
		return fmt.Errorf("the database %s cannot be used (%w); restore it from a backup or set COURIER_DATA to another folder", path, err)
	}
	return nil
}

func recognize(ctx context.Context, db *sql.DB, wanted func(stmt string) bool) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()

	var version, tables int
	if err := tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&version); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE type = 'table'").Scan(&tables); err != nil {
		return err
	}
	switch {
	case version == schemaVersion:
	case version == 0 && tables == 0:
		err := eachStatement(func(stmt string) error {
			if !wanted(stmt) {
				return nil
			}
			_, err := tx.ExecContext(ctx, stmt)
			return err
		})
		if err != nil {
			return err
		}
	case version == 0:
		return errors.New("it was made by another program")
	default:
		return fmt.Errorf("it has format %d and this version knows format %d", version, schemaVersion)
	}
	// Written every time: this is the proof that the file can be written.
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", schemaVersion)); err != nil {
		return err
	}
	return tx.Commit()
}

// checkpoint moves what is in the write-ahead logs into the files themselves and empties the logs, so that a copy of the files is
// complete.
func (f databaseFiles) checkpoint() error {
	var errs []error
	for _, path := range []string{f.main, f.visibility} {
		db, err := open(path)
		if err == nil {
			_, err = db.ExecContext(context.Background(), "PRAGMA wal_checkpoint(TRUNCATE)")
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("database %s: checkpoint: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// eachStatement hands the statements of the server's schema to exec, in order. The server offers its schema only by executing it.
func eachStatement(exec func(stmt string) error) error {
	return schema.SetupSchemaOnDB(statementSink{exec: exec})
}

// statementSink is an AdminDB that can do nothing but execute.
type statementSink struct {
	sqlplugin.AdminDB
	exec func(stmt string) error
}

// Exec implements sqlplugin.AdminDB.
func (s statementSink) Exec(stmt string, _ ...any) error { return s.exec(stmt) }

// syncDir makes new directory entries durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// exists reports whether there is a file at path; any doubt counts as yes, so that the next step reports it.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
