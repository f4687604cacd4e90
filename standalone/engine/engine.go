// Package engine runs a Temporal server with its web UI inside the process, on SQLite files in one
// folder. It is meant for one machine and one process: every service listens on loopback, and the
// folder is locked while the engine runs.
//
// It knows nothing of webhooks: which search attributes, namespace and addresses there are is the
// caller's business.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/server/temporal"
)

const (
	// defaultRetention is how long a new namespace keeps closed workflows.
	defaultRetention = 7 * 24 * time.Hour

	// startTimeout bounds the start as a whole. An ordinary one takes about a second; a folder
	// after a crash somewhat longer.
	startTimeout = time.Minute
)

// Options say where the engine keeps its data and where it listens.
type Options struct {
	// DataDir is the folder of the database files. It is created with mode 0700 when missing.
	DataDir string

	// TemporalListen is the host:port of Temporal's gRPC frontend. The host is an IP address or
	// "localhost", which is 127.0.0.1; port 0 takes a free one.
	TemporalListen string

	// UIListen is the host:port of the web UI, in the same form. Empty means no UI.
	UIListen string

	// Codec, when not nil, decrypts payloads for the UI's pages: they call it by Temporal's codec
	// server protocol below CodecPath of the UI's own address, so that no browser has to be
	// configured for another one. Who may call it is for the handler to say.
	Codec http.Handler

	// Namespace is created at the first start. Defaults to "default".
	Namespace string

	// SearchAttributes are custom search attributes of the namespace, by name. They exist before
	// the server starts; ones missing at a later start are added, and none is ever removed.
	SearchAttributes map[string]enumspb.IndexedValueType

	// Retention is how long a new namespace keeps closed workflows. Defaults to 7 days, at least 1
	// day. It does not change a namespace that exists: that is done with Temporal's own tools.
	Retention time.Duration

	// Logger receives the server's warnings and errors. Defaults to none.
	Logger *slog.Logger

	// sync brings the databases' logs to the disk. Defaults to (*os.File).Sync; a test's fails.
	sync func(*os.File) error
}

// Engine is a running server. It must be stopped.
type Engine struct {
	address   string
	namespace string
	uiURL     string
	dataDir   string

	server    temporal.Server
	ui        *ui
	logger    *serverLogger
	databases databases
	lock      io.Closer
	failure   <-chan error
}

// Start starts the server and its UI, and returns when both answer. Everything that can be found
// wrong is found before the server starts: an address that is taken, a folder that is in use or
// cannot be written, a database that is damaged. The error says in one line what to change. On
// error nothing is left running.
//
// An engine may be started again after Stop, in the same process and folder.
func Start(ctx context.Context, o Options) (*Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}

	lock, err := lockDataDir(o.DataDir)
	if err != nil {
		return nil, err
	}
	e := &Engine{namespace: o.Namespace, dataDir: o.DataDir, lock: lock}
	if err := e.start(ctx, o); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

func (o Options) withDefaults() (Options, error) {
	if o.DataDir == "" {
		return o, errors.New("the data folder is not given; set COURIER_DATA")
	}
	dir, err := filepath.Abs(o.DataDir)
	if err != nil {
		return o, fmt.Errorf("data folder %s: %w", o.DataDir, err)
	}
	o.DataDir = dir
	if o.Namespace == "" {
		o.Namespace = client.DefaultNamespace
	}
	if o.Retention == 0 {
		o.Retention = defaultRetention
	}
	if o.Retention < 24*time.Hour {
		return o, fmt.Errorf("retention %s is too short; give at least 24h", o.Retention)
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func (e *Engine) start(ctx context.Context, o Options) error {
	addresses, uiListener, err := reserve(o)
	if err != nil {
		return err
	}
	if uiListener != nil {
		e.ui = &ui{listener: uiListener, codec: o.Codec}
	}
	e.address = addresses.frontendDial()

	failure := make(chan error, 1)
	e.failure = failure
	e.logger = newServerLogger(o.Logger, failure)
	files := filesIn(o.DataDir)
	if e.databases, err = files.open(ctx, o, e.logger.fail); err != nil {
		return err
	}
	if err := e.boot(serverOptions(files, addresses, e.logger)); err != nil {
		return err
	}
	if err := waitReady(ctx, e.ClientOptions(), failure); err != nil {
		return err
	}
	if e.ui != nil {
		e.uiURL = "http://" + dialable(uiListener.Addr().(*net.TCPAddr)).String()
		return e.ui.serve(e.address, o.Namespace, o.Logger)
	}
	return nil
}

// boot builds and starts the server on a goroutine of its own: the server reports what it cannot
// survive through its logger's Fatal, which must not return and here ends the goroutine that called
// it.
//
// It does not watch a context: the server bounds its start itself, and one that is left alone
// half-way could not be stopped.
func (e *Engine) boot(options []temporal.ServerOption) error {
	started := make(chan error, 1)
	built := make(chan temporal.Server, 1)
	go func() {
		server, err := temporal.NewServer(options...)
		if err != nil {
			started <- fmt.Errorf("temporal server: %w", err)
			return
		}
		built <- server
		if err := server.Start(); err != nil {
			started <- fmt.Errorf("temporal server: %w", err)
			return
		}
		started <- nil
	}()

	var err error
	select {
	case err = <-started:
	case err = <-e.failure:
	}
	select {
	case e.server = <-built:
	default:
	}
	return err
}

// ClientOptions returns the address and the namespace for an SDK client of this server.
func (e *Engine) ClientOptions() client.Options {
	return client.Options{
		HostPort:  e.address,
		Namespace: e.namespace,
		// Bytes cost nothing within a machine, and compressing them does.
		ConnectionOptions: client.ConnectionOptions{GrpcCompression: &client.GrpcCompressionNone{}},
	}
}

// Address returns the host:port at which this process reaches Temporal's frontend.
func (e *Engine) Address() string { return e.address }

// UIURL returns the web UI's address, such as http://127.0.0.1:8233, or "" when there is no UI.
func (e *Engine) UIURL() string { return e.uiURL }

// Failed delivers an error when the running server has met a condition that it cannot survive. The
// process should then stop.
func (e *Engine) Failed() <-chan error { return e.failure }

// Stop stops the UI and the server, brings everything into the database files and releases the
// folder. Clients and workers of the engine should be closed before. It is to be called once.
func (e *Engine) Stop() error {
	var errs []error
	if e.logger != nil {
		e.logger.quiet()
	}
	if e.ui != nil {
		errs = append(errs, e.ui.stop())
	}
	if e.server != nil {
		if err := e.server.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop temporal server: %w", err))
		}
	}
	errs = append(errs, e.databases.close())
	errs = append(errs, e.lock.Close())
	return errors.Join(errs...)
}
