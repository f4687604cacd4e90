package engine

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	schema "go.temporal.io/server/schema/sqlite"

	"github.com/gitbook-courier/courier/standalone/groupcommit"
)

const (
	// schemaVersion is kept in each file as its user_version. It numbers the tables of Temporal
	// server 1.32; a server that needs other tables needs another number and a migration.
	schemaVersion = 1

	// visibilityTable is the one table of the visibility schema; its triggers and search tables
	// carry its name too.
	visibilityTable = "executions_visibility"
)

// databaseFiles are the engine's two databases. The list of workflows ("visibility") has a file of
// its own, because the two then do not wait for each other's commits.
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

// sqlConfig names a file to the server. How it is opened is for open to say, whose handles the
// server is given.
func sqlConfig(path string) *config.SQL {
	return &config.SQL{
		PluginName: sqlite.PluginName,
		// The plugin takes a URI, in which a path's ?, # and % would have a meaning.
		DatabaseName:      (&url.URL{Path: path}).EscapedPath(),
		ConnectAttributes: map[string]string{"mode": "rwc", "busy_timeout": "10000"},
	}
}

// databases are the open files.
type databases struct {
	main, visibility *groupcommit.Database
}

// open makes both files ready for the server, with tables, namespace, search attributes and their
// indexes, and has it use them. failed is called when one of them can no longer be written durably.
//
// Close its result, also after an error.
func (f databaseFiles) open(ctx context.Context, o Options, failed func(error)) (d databases, err error) {
	// The main file comes last, so that it exists only beside a complete visibility file.
	if exists(f.main) && !exists(f.visibility) {
		return d, fmt.Errorf("%s is missing beside %s; restore it from a backup or set COURIER_DATA to another folder", f.visibility, f.main)
	}
	options := groupcommit.Options{Failed: failed, Back: standBack, Sync: o.sync}
	if d.visibility, err = openFile(ctx, f.visibility, f.statements(f.visibility), options); err != nil {
		return d, err
	}
	if d.main, err = openFile(ctx, f.main, f.statements(f.main), options); err != nil {
		return d, err
	}
	if err := syncDir(filepath.Dir(f.main)); err != nil {
		return d, fmt.Errorf("data folder: %w", err)
	}
	fields, err := ensureNamespace(ctx, sqlConfig(f.main), o)
	if err != nil {
		return d, fmt.Errorf("namespace %s: %w", o.Namespace, err)
	}
	if err := index(ctx, d.visibility.DB, fields); err != nil {
		return d, fmt.Errorf("database %s: index: %w", f.visibility, err)
	}
	return d, nil
}

// all are the databases that are open.
func (d databases) all() []*groupcommit.Database {
	return slices.DeleteFunc([]*groupcommit.Database{d.main, d.visibility}, func(db *groupcommit.Database) bool { return db == nil })
}

// close closes the files. SQLite then moves what is in their write-ahead logs into the files
// themselves and removes the logs.
func (d databases) close() error {
	var errs []error
	for _, db := range d.all() {
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// statements returns a filter for the part of the server's schema that a file has. The indexes of
// the list of workflows are left to index.
func (f databaseFiles) statements(path string) func(stmt string) bool {
	return func(stmt string) bool {
		return strings.Contains(stmt, visibilityTable) == (path == f.visibility) && !visibilityIndex.MatchString(stmt)
	}
}

// openFile opens a file for the server, in which it creates the tables in one transaction, or
// recognizes them. It finds out whether the file can be read and written, so that the server does
// not have to.
func openFile(ctx context.Context, path string, wanted func(stmt string) bool, o groupcommit.Options) (*groupcommit.Database, error) {
	// The file is created here because SQLite would make it readable for everybody.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the database %s cannot be written (%w); check the rights of the folder and the file", path, cause(err))
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	failed := o.Failed
	o.Failed = func(err error) {
		failed(fmt.Errorf("database %s: %w; what was stored last may not be on the disk, so this process ends; check the disk, then start again", path, err))
	}
	db, err := groupcommit.Open(path, o)
	if err == nil {
		if err = recognize(ctx, db.DB, wanted); err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if groupcommit.Full(err) {
		return nil, fmt.Errorf("the database %s cannot be written: the disk is full; free some space, then start again", path)
	}
	if err != nil {
		return nil, fmt.Errorf("the database %s cannot be used (%w); restore it from a backup or set COURIER_DATA to another folder", path, err)
	}
	if err := handOver(path, db.DB); err != nil {
		return nil, errors.Join(fmt.Errorf("database %s: %w", path, err), db.Close())
	}
	return db, nil
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

// eachStatement hands the statements of the server's schema to exec, in order. The server offers
// its schema only by executing it.
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

// exists reports whether there is a file at path; any doubt counts as yes, so that the next step
// reports it.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, os.ErrNotExist)
}
