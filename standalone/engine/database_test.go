package engine

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"
	schema "go.temporal.io/server/schema/sqlite"

	"github.com/gitbook-courier/courier/standalone/groupcommit"
)

// Ensure that a change of the server's tables does not go unnoticed: schemaVersion has to change
// with them.
func TestSchemaVersionStandsForServersTables(t *testing.T) {
	t.Parallel()
	require.Equal(t, "0.11", schema.Version)
	require.Equal(t, "0.1", schema.VisibilityVersion)
	require.Equal(t, 1, schemaVersion)
}

func TestOpenMakesPrivateFiles(t *testing.T) {
	t.Parallel()
	// The characters have a meaning in the URI that the driver takes.
	dir := filepath.Join(t.TempDir(), "a?b#c%20d e")
	lock, err := lockDataDir(dir)
	require.NoError(t, err)
	t.Cleanup(func() { _ = lock.Close() })
	info, err := os.Stat(dir)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o700), info.Mode().Perm())

	files := filesIn(dir)
	for range 2 { // The second time they are recognized.
		databases, err := files.open(t.Context(), Options{DataDir: dir, Namespace: testNamespace}, nil)
		require.NoError(t, err)
		require.NoError(t, databases.close())
	}
	for _, path := range []string{files.main, files.visibility} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
		require.NoFileExists(t, path+"-wal") // Everything is in the file itself.
	}
	require.Equal(t, builtIn, indexedColumns(t, dir))
}

// The server's own connection would wait for the disk at every commit, with all others behind it.
func TestServerUsesOurHandle(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := filesIn(dir)
	for range 2 { // The server keeps its handles for the life of the process, also when a database was closed.
		databases, err := files.open(t.Context(), Options{DataDir: dir, Namespace: testNamespace}, nil)
		require.NoError(t, err)
		for path, want := range map[string]*sql.DB{files.main: databases.main.DB, files.visibility: databases.visibility.DB} {
			handle, err := serverHandle(path)
			require.NoError(t, err)
			require.Same(t, want, handle.DB)
			require.NoError(t, handle.PingContext(t.Context()))
		}
		require.NoError(t, databases.close())
	}
}

// builtIn are the indexes of every list of workflows. Two begin with the type: the server's, and the
// one by the time of the start.
var builtIn = []string{
	"parent_workflow_id parent_workflow_id IS NOT NULL", "root_workflow_id ", "workflow_type_name ", "status ", "TemporalNamespaceDivision TemporalNamespaceDivision IS NOT NULL",
	"TemporalPauseInfo TemporalPauseInfo IS NOT NULL", "workflow_id ", "workflow_type_name ", " ",
}

// indexedColumns lists the columns that have an index in the list of workflows, each with the
// condition of the index.
func indexedColumns(t *testing.T, dir string) []string {
	t.Helper()
	db, err := groupcommit.Open(filesIn(dir).visibility, groupcommit.Options{})
	require.NoError(t, err)
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY name")
	require.NoError(t, err)
	defer rows.Close()
	var columns []string
	for rows.Next() {
		var statement string
		require.NoError(t, rows.Scan(&statement))
		_, condition, _ := strings.Cut(statement, " WHERE ")
		columns = append(columns, visibilityIndex.FindStringSubmatch(statement)[2]+" "+condition)
	}
	require.NoError(t, rows.Err())
	return columns
}

func TestAddAliases(t *testing.T) {
	t.Parallel()
	const (
		keyword = enumspb.INDEXED_VALUE_TYPE_KEYWORD
		boolean = enumspb.INDEXED_VALUE_TYPE_BOOL
	)
	tests := []struct {
		name        string
		givePresent map[string]string
		giveWanted  map[string]enumspb.IndexedValueType
		want        map[string]string
		wantChanged bool
		wantErr     string
	}{
		{
			name:        "first fields in the order of the names",
			giveWanted:  map[string]enumspb.IndexedValueType{"B": keyword, "A": keyword, "C": boolean},
			want:        map[string]string{"Keyword01": "A", "Keyword02": "B", "Bool01": "C"},
			wantChanged: true,
		},
		{
			name:        "present ones keep their fields",
			givePresent: map[string]string{"Keyword02": "A", "Text01": "Operators"},
			giveWanted:  map[string]enumspb.IndexedValueType{"A": keyword, "B": keyword},
			want:        map[string]string{"Keyword02": "A", "Text01": "Operators", "Keyword01": "B"},
			wantChanged: true,
		},
		{
			name:        "nothing to add",
			givePresent: map[string]string{"Keyword01": "A"},
			giveWanted:  map[string]enumspb.IndexedValueType{"A": keyword},
			want:        map[string]string{"Keyword01": "A"},
		},
		{
			name:       "no field left",
			giveWanted: map[string]enumspb.IndexedValueType{"A": boolean, "B": boolean, "C": boolean, "D": boolean},
			wantErr:    "search attribute D: every field of type Bool is in use; remove a custom search attribute",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, changed, err := addAliases(tt.givePresent, tt.giveWanted)
			if tt.wantErr != "" {
				require.EqualError(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.wantChanged, changed)
		})
	}
}

func describe(namespace string) *workflowservice.DescribeNamespaceRequest {
	return &workflowservice.DescribeNamespaceRequest{Namespace: namespace}
}

func count(query string) *workflowservice.CountWorkflowExecutionsRequest {
	return &workflowservice.CountWorkflowExecutionsRequest{Namespace: testNamespace, Query: query}
}
