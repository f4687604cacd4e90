package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/temporalio/ui-server/v2/server/api"
	"github.com/temporalio/ui-server/v2/server/config"
	"github.com/temporalio/ui-server/v2/server/csrf"
	"github.com/temporalio/ui-server/v2/server/headers"
	"github.com/temporalio/ui-server/v2/server/route"
	assets "github.com/temporalio/ui-server/v2/ui"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
)

// CodecPath is where the UI's pages have payloads decrypted.
const CodecPath = "/codec"

// uiStopTimeout is how long requests of the UI may take to end. Browsers hold long polls open,
// which are cut then.
const uiStopTimeout = 500 * time.Millisecond

// ui serves Temporal's web UI. It is put together here from the parts that ui-server exports,
// because its own Server opens the port itself, ends the process when it cannot, and leaves its
// connection to the frontend open.
type ui struct {
	listener net.Listener
	codec    http.Handler // nil when payloads are not encrypted
	conn     *grpc.ClientConn
	server   *http.Server
	done     chan struct{}
}

// serve starts to answer on the listener.
func (u *ui) serve(temporalAddress, namespace string, logger *slog.Logger) error {
	var codec config.Codec
	if u.codec != nil {
		codec.Endpoint = CodecPath
	}
	provider, err := config.NewConfigProviderWithRefresh(&config.Config{
		Codec:               codec,
		TemporalGRPCAddress: temporalAddress,
		DefaultNamespace:    namespace,
		EnableUI:            true,
		HideLogs:            true,
		DisableNewsFetch:    true, // The news would be fetched from the makers' site.
		CORS:                config.CORS{CookieInsecure: true},
		// What these buttons do to the workflows of an application, it does itself better: they stop
		// it between two steps, repeat steps, or begin something without an input.
		WorkflowPauseDisabled:     true,
		WorkflowResetDisabled:     true,
		WorkflowTerminateDisabled: true,
		StartWorkflowDisabled:     true,
	})
	if err != nil {
		return fmt.Errorf("UI: %w", err)
	}
	if u.conn, err = api.CreateGRPCConnection(provider); err != nil {
		return fmt.Errorf("UI: %w", err)
	}
	handler, err := u.handler(provider)
	if err != nil {
		return fmt.Errorf("UI: %w", err)
	}

	u.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(logger.With("component", "temporal-ui").Handler(), slog.LevelWarn),
	}
	u.done = make(chan struct{})
	go func() {
		defer close(u.done)
		if err := u.server.Serve(u.listener); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("temporal UI stopped", "error", err)
		}
	}()
	return nil
}

func (u *ui) handler(provider *config.ConfigProviderWithRefresh) (http.Handler, error) {
	e := echo.New()
	e.Use(middleware.Recover(), middleware.Gzip(), middleware.Secure())
	// The page's scripts read the token from the cookie, and the cookie cannot be marked secure on
	// plain HTTP.
	const cookieSecure = false
	e.Use(csrf.EnsureTokenCookie(cookieSecure), middleware.CSRFWithConfig(csrf.MiddlewareConfig(provider, cookieSecure)))

	route.SetHealthRoute(e)
	group := e.Group("/api/v1")
	group.GET("/settings", api.GetSettings(provider))
	group.GET(api.WorkflowRawHistoryUrl, api.WorkflowRawHistoryHandler(workflowservice.NewWorkflowServiceClient(u.conn)))
	group.Any("/*", api.TemporalAPIHandler(provider, []api.Middleware{headers.WithForwardHeaders([]string{"Caller-Type"})}, u.conn))

	all, err := assets.Assets()
	if err != nil {
		return nil, err
	}
	local, err := fs.Sub(all, "local")
	if err != nil {
		return nil, err
	}
	if err := route.SetUIRoutes(e, "", local); err != nil {
		return nil, err
	}
	route.SetRenderRoute(e, "")

	var handler http.Handler = e
	if u.codec != nil {
		handler = withCodec(u.codec, e)
	}
	if u.listener.Addr().(*net.TCPAddr).IP.IsLoopback() {
		return onlyLocalHosts(handler), nil
	}
	return handler, nil
}

// withCodec serves the codec beside the UI.
func withCodec(codec, ui http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(CodecPath+"/", codec)
	mux.Handle("/", ui)
	return mux
}

// onlyLocalHosts refuses requests that name a host of the DNS. A page of a foreign site could
// otherwise point its own name at this machine and then use the UI as if it were that page's own
// server.
func onlyLocalHosts(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if host != "localhost" && net.ParseIP(host) == nil {
			http.Error(w, "open this page as localhost or by its IP address", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// stop ends the UI, or releases its listener when it did not start.
func (u *ui) stop() error {
	if u.server == nil {
		err := u.listener.Close()
		if u.conn != nil {
			err = errors.Join(err, u.conn.Close())
		}
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), uiStopTimeout)
	defer cancel()
	if err := u.server.Shutdown(ctx); err != nil {
		_ = u.server.Close()
	}
	<-u.done
	return u.conn.Close()
}
