package engine

import (
	"database/sql"
	"fmt"
	"reflect"
	"unsafe"

	"github.com/jmoiron/sqlx"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	serversql "go.temporal.io/server/common/persistence/sql"
	"go.temporal.io/server/common/persistence/sql/sqlplugin"
	"go.temporal.io/server/common/resolver"
)

// handOver has the server use db for the file at path. The server's SQLite plugin opens files by
// itself, with a connection that every caller waits for until the disk has synced. It offers no
// other way, but it keeps one handle for each file, for the life of the process, and what a handle
// leads to can be replaced.
func handOver(path string, db *sql.DB) error {
	handle, err := serverHandle(path)
	if err != nil {
		return err
	}
	replaced := handle.DB
	handle.DB = db
	return replaced.Close()
}

// serverHandle is the server's handle of the file at path, which it opens when it has none.
func serverHandle(path string) (*sqlx.DB, error) {
	plugin, err := serversql.NewSQLDB(sqlplugin.DbKindUnknown, sqlConfig(path), resolver.NewNoopResolver(), log.NewNoopLogger(), metrics.NoopMetricsHandler)
	if err != nil {
		return nil, err
	}
	field := reflect.Indirect(reflect.ValueOf(plugin)).FieldByName("db")
	if !field.IsValid() || field.Type() != reflect.TypeFor[*sqlx.DB]() {
		return nil, fmt.Errorf("the server's %T has no handle that can be replaced", plugin)
	}
	return *(**sqlx.DB)(unsafe.Pointer(field.UnsafeAddr())), nil // Safe: the field has that very type.
}
