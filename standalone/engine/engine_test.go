package engine

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

const testNamespace = "shop"

var destination = temporal.NewSearchAttributeKeyKeyword("Destination")

// logBuffer collects the server's log lines from many goroutines.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func testOptions(dir string) Options {
	return Options{
		DataDir:          dir,
		TemporalListen:   "127.0.0.1:0",
		UIListen:         "127.0.0.1:0",
		Namespace:        testNamespace,
		SearchAttributes: map[string]enumspb.IndexedValueType{"Destination": enumspb.INDEXED_VALUE_TYPE_KEYWORD},
		Logger:           slog.New(slog.DiscardHandler),
	}
}

func mustStart(t *testing.T, o Options) *Engine {
	t.Helper()
	begin := time.Now()
	e, err := Start(t.Context(), o)
	require.NoError(t, err)
	t.Logf("started in %s", time.Since(begin).Round(time.Millisecond))
	return e
}

func mustStop(t *testing.T, e *Engine) {
	t.Helper()
	begin := time.Now()
	require.NoError(t, e.Stop())
	took := time.Since(begin)
	t.Logf("stopped in %s", took.Round(time.Millisecond))
	require.Less(t, took, 5*time.Second)
}

func mustDial(t *testing.T, e *Engine) client.Client {
	t.Helper()
	options := e.ClientOptions()
	options.Logger = silent{}
	c, err := client.DialContext(t.Context(), options)
	require.NoError(t, err)
	return c
}

// napping waits for a timer, so that a restart can come in between.
func napping(ctx workflow.Context, nap time.Duration) (string, error) {
	err := workflow.SetQueryHandler(ctx, "napping", func() (bool, error) { return true, nil })
	if err != nil {
		return "", err
	}
	if err := workflow.Sleep(ctx, nap); err != nil {
		return "", err
	}
	return "rested", nil
}

func startWorker(t *testing.T, c client.Client) worker.Worker {
	t.Helper()
	w := worker.New(c, "naps", worker.Options{})
	w.RegisterWorkflow(napping)
	require.NoError(t, w.Start())
	return w
}

// Ensure a workflow that waits for a timer survives a restart in the same folder and process, that
// the addresses are free again in between, and that an ordinary life prints nothing.
func TestWorkflowCompletesAfterRestart(t *testing.T) {
	t.Parallel()
	var logs logBuffer
	o := testOptions(t.TempDir())
	o.Logger = slog.New(slog.NewTextHandler(&logs, nil))

	e := mustStart(t, o)
	c := mustDial(t, e)
	w := startWorker(t, c)
	run, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID:                    "nap",
		TaskQueue:             "naps",
		TypedSearchAttributes: temporal.NewSearchAttributes(destination.ValueSet("search-index")),
	}, napping, 4*time.Second)
	require.NoError(t, err)
	// A query is answered once the first workflow task is done, so the timer is in the database
	// then.
	_, err = c.QueryWorkflow(t.Context(), "nap", run.GetRunID(), "napping")
	require.NoError(t, err)
	w.Stop()
	c.Close()
	address, uiURL := e.Address(), e.UIURL()
	mustStop(t, e)
	for _, name := range []string{"temporal.db-wal", "visibility.db-wal"} {
		require.NoFileExists(t, filepath.Join(o.DataDir, name), "a copy of the database files is complete")
	}

	parsed, err := url.Parse(uiURL)
	require.NoError(t, err)
	for _, free := range []string{address, parsed.Host} {
		l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", free)
		require.NoError(t, err)
		require.NoError(t, l.Close())
	}

	e = mustStart(t, o)
	c = mustDial(t, e)
	w = startWorker(t, c)
	var got string
	require.NoError(t, c.GetWorkflow(t.Context(), "nap", run.GetRunID()).Get(t.Context(), &got))
	require.Equal(t, "rested", got)
	w.Stop()
	c.Close()
	mustStop(t, e)
	require.Empty(t, logs.String())
}

func TestSearchAttributesExistFromTheStart(t *testing.T) {
	t.Parallel()
	o := testOptions(t.TempDir())
	e := mustStart(t, o)
	c := mustDial(t, e)
	require.Equal(t, map[string]enumspb.IndexedValueType{"Destination": enumspb.INDEXED_VALUE_TYPE_KEYWORD}, customAttributes(t, c))

	ns, err := c.WorkflowService().DescribeNamespace(t.Context(), describe(testNamespace))
	require.NoError(t, err)
	require.Equal(t, 7*24*time.Hour, ns.Config.WorkflowExecutionRetentionTtl.AsDuration())

	// The list accepts the attribute at once.
	_, err = c.CountWorkflow(t.Context(), count(`Destination = "search-index"`))
	require.NoError(t, err)
	c.Close()
	mustStop(t, e)

	o.SearchAttributes["Attempts"] = enumspb.INDEXED_VALUE_TYPE_INT
	o.SearchAttributes["EventType"] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	e = mustStart(t, o)
	c = mustDial(t, e)
	require.Equal(t, o.SearchAttributes, customAttributes(t, c))
	_, err = c.CountWorkflow(t.Context(), count(`EventType = "page_feedback" AND Attempts > 1`))
	require.NoError(t, err)
	c.Close()
	mustStop(t, e)

	require.ElementsMatch(t, append([]string{
		"Int01 Int01 IS NOT NULL", "Keyword01 Keyword01 IS NOT NULL", "Keyword02 Keyword02 IS NOT NULL",
	}, builtIn...), indexedColumns(t, o.DataDir))

	o.SearchAttributes["Attempts"] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
	_, err = Start(t.Context(), o)
	require.EqualError(t, err, "namespace shop: search attribute Attempts exists with type Int, wanted is Keyword")
}

func customAttributes(t *testing.T, c client.Client) map[string]enumspb.IndexedValueType {
	t.Helper()
	got, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: testNamespace})
	require.NoError(t, err)
	return got.CustomAttributes
}

// Ensure a second engine is refused while the first runs, and the first is none the worse for it.
func TestSecondEngineOnSameFolderIsRefused(t *testing.T) {
	t.Parallel()
	o := testOptions(t.TempDir())
	e := mustStart(t, o)
	_, err := Start(t.Context(), o)
	require.ErrorContains(t, err, "the data folder "+o.DataDir+" is in use by another process (pid ")
	require.NotContains(t, err.Error(), "\n")

	c := mustDial(t, e)
	_, err = c.CheckHealth(t.Context(), &client.CheckHealthRequest{})
	require.NoError(t, err)
	c.Close()
	mustStop(t, e)
}

func TestStartRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = taken.Close() })
	address := taken.Addr().String()

	regularFile := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(regularFile, nil, 0o600))

	garbage := t.TempDir()
	writeBoth(t, garbage, bytes.Repeat([]byte("not a database. "), 1000))

	foreign := t.TempDir()
	execIn(t, filepath.Join(foreign, "visibility.db"), "CREATE TABLE invoices (id INT)")

	newer := t.TempDir()
	execIn(t, filepath.Join(newer, "visibility.db"), "PRAGMA user_version = 2")

	halved := t.TempDir()
	execIn(t, filepath.Join(halved, "temporal.db"), "PRAGMA user_version = 1")

	tests := []struct {
		name    string
		give    func(o *Options)
		wantErr string
	}{
		{
			name:    "Temporal port taken",
			give:    func(o *Options) { o.TemporalListen = address },
			wantErr: "the Temporal port " + address + " is taken by another process; set --temporal-listen or COURIER_TEMPORAL_LISTEN",
		},
		{
			name:    "UI port taken",
			give:    func(o *Options) { o.UIListen = address },
			wantErr: "the UI port " + address + " is taken by another process; set --ui-listen or COURIER_UI_LISTEN",
		},
		{
			name:    "address without port",
			give:    func(o *Options) { o.TemporalListen = "127.0.0.1" },
			wantErr: `the Temporal address "127.0.0.1" is not host:port; set --temporal-listen or COURIER_TEMPORAL_LISTEN`,
		},
		{
			name:    "address with a name",
			give:    func(o *Options) { o.UIListen = "example.com:80" },
			wantErr: `the UI address "example.com:80" needs an IP address or localhost as its host; set --ui-listen or COURIER_UI_LISTEN`,
		},
		{
			name:    "address without host",
			give:    func(o *Options) { o.UIListen = ":80" },
			wantErr: `the UI address ":80" needs an IP address or localhost as its host; set --ui-listen or COURIER_UI_LISTEN`,
		},
		{
			name:    "port too large",
			give:    func(o *Options) { o.UIListen = "127.0.0.1:65536" },
			wantErr: `the UI address "127.0.0.1:65536" needs a port from 0 to 65535; set --ui-listen or COURIER_UI_LISTEN`,
		},
		{
			name:    "folder below a file",
			give:    func(o *Options) { o.DataDir = filepath.Join(regularFile, "data") },
			wantErr: "the data folder " + regularFile + "/data cannot be created (not a directory); set COURIER_DATA to a folder that can be written",
		},
		{
			name:    "folder missing",
			give:    func(o *Options) { o.DataDir = "" },
			wantErr: "the data folder is not given; set COURIER_DATA",
		},
		{
			name:    "retention too short",
			give:    func(o *Options) { o.Retention = time.Hour },
			wantErr: "retention 1h0m0s is too short; give at least 24h",
		},
		{
			name: "database damaged",
			give: func(o *Options) { o.DataDir = garbage },
			wantErr: "the database " + garbage + "/visibility.db cannot be used (file is not a database (26)); " +
				"restore it from a backup or set COURIER_DATA to another folder",
		},
		{
			name: "database of another program",
			give: func(o *Options) { o.DataDir = foreign },
			wantErr: "the database " + foreign + "/visibility.db cannot be used (it was made by another program); " +
				"restore it from a backup or set COURIER_DATA to another folder",
		},
		{
			name: "database of a newer version",
			give: func(o *Options) { o.DataDir = newer },
			wantErr: "the database " + newer + "/visibility.db cannot be used (it has format 2 and this version knows format 1); " +
				"restore it from a backup or set COURIER_DATA to another folder",
		},
		{
			name: "one of two databases lost",
			give: func(o *Options) { o.DataDir = halved },
			wantErr: halved + "/visibility.db is missing beside " + halved + "/temporal.db; " +
				"restore it from a backup or set COURIER_DATA to another folder",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := testOptions(t.TempDir())
			tt.give(&o)
			_, err := Start(t.Context(), o)
			require.EqualError(t, err, tt.wantErr)

			// Everything that was opened on the way is closed.
			if _, statErr := os.Stat(o.DataDir); statErr == nil {
				lock, err := lockDataDir(o.DataDir)
				require.NoError(t, err)
				require.NoError(t, lock.Close())
			}
		})
	}
}

func TestTruncatedDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := filesIn(dir)
	databases, err := files.open(t.Context(), Options{DataDir: dir, Namespace: testNamespace}, nil)
	require.NoError(t, err)
	// The log is emptied: SQLite would repair the file from it.
	require.NoError(t, databases.close())
	info, err := os.Stat(files.visibility)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(files.visibility, info.Size()/2))

	_, err = Start(t.Context(), testOptions(dir))
	require.ErrorContains(t, err, "visibility.db cannot be used (database disk image is malformed (11))")
	require.NotContains(t, err.Error(), "\n")
}

func TestStartStopsWhenCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := testOptions(t.TempDir())
	_, err := Start(ctx, o)
	require.ErrorIs(t, err, context.Canceled)
	lock, err := lockDataDir(o.DataDir)
	require.NoError(t, err)
	require.NoError(t, lock.Close())
}

func writeBoth(t *testing.T, dir string, content []byte) {
	t.Helper()
	for _, name := range []string{"temporal.db", "visibility.db"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o600))
	}
}

func execIn(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	_, err = db.ExecContext(t.Context(), statement)
	require.NoError(t, err)
	require.NoError(t, db.Close())
}
