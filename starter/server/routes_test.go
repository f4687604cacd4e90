package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/starter/api"
	"github.com/gitbook-courier/courier/starter/codecserver"
	"github.com/gitbook-courier/courier/starter/console"
	"github.com/gitbook-courier/courier/starter/ingress"
	"github.com/gitbook-courier/courier/starter/openapi"
	"github.com/gitbook-courier/courier/starter/respond"
)

// noScreen is asked for nothing.
type noScreen struct{}

func (noScreen) Answer(context.Context, gitbook.Event, gitbook.Environment) (answer any, asked bool, err error) {
	return nil, false, nil
}

// testRooms are the real rooms in front of that store.
func testRooms(c config.Config, keys *seal.Keyring, store ingress.Store, ready func(context.Context) error, log *slog.Logger) Rooms {
	return Rooms{
		Ingress: ingress.New(c, store, noScreen{}, log, time.Now),
		API:     api.NewAPI(nil, nil, nil, log),
		Console: console.New(console.Options{Log: log, Now: time.Now}),
		Codec:   codecserver.NewServer(codec.New(keys, false), nil, log),
		Ready:   ready,
		Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { respond.Text(w, http.StatusOK, "go_goroutines 1\n") }),
	}
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	c := config.Default()
	log := slog.New(slog.DiscardHandler)
	keys, err := c.Keyring()
	require.NoError(t, err)
	reachable := func(context.Context) error { return nil }
	unreachable := func(context.Context) error { return errors.New("dial tcp 10.1.2.3:7233: refused") }
	tests := []struct {
		give       string
		giveReady  func(context.Context) error
		wantStatus int
		wantBody   string
		wantAllow  string
	}{
		{"GET /healthz", unreachable, 200, "OK", ""},
		{"HEAD /healthz", unreachable, 200, "OK", ""},
		{"POST /healthz", reachable, 405, `{"error":"method not allowed; use GET"}`, "GET"},
		{"GET /readyz", reachable, 200, "OK", ""},
		{"GET /readyz", unreachable, 503, `{"error":"Temporal cannot be reached"}`, ""},
		{"GET /openapi.yaml", unreachable, 200, string(openapi.Document), ""},
		{"POST /v2", reachable, 400, "Unsupported version v2", ""},
		{"POST /v1%2Fx", reachable, 400, "Unsupported version v1%2Fx", ""},
		{"GET /v1", reachable, 405, `{"error":"method not allowed; use POST"}`, "POST"},
		{"POST /v1", reachable, 415, `{"error":"the content type is not multipart/form-data"}`, ""},
		{"POST /webhooks/none", reachable, 404, `{"error":"no such source; it must be one of the configuration's sources"}`, ""},
		{"GET /api/deliveries?status=lost", reachable, 400, `{"error":"status must be one of pending, retrying, held, delivered, undelivered, cancelled"}`, ""},
		{"PUT /api/deliveries", reachable, 405, `{"error":"method not allowed; use GET"}`, "GET"},
		{"POST /api/deliveries", reachable, 405, `{"error":"method not allowed; use GET"}`, "GET"},
		{"POST /codec/default/decode", reachable, 415, `{"error":"Content-Type must be application/json"}`, ""},
		{"POST /codec/default/encode", reachable, 415, `{"error":"Content-Type must be application/json"}`, ""},
		{"GET /codec/default/decode", reachable, 405, `{"error":"method not allowed; use OPTIONS, POST"}`, "OPTIONS, POST"},
		{"POST /codec/default", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /%00", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /v1%FF", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /webhooks/ü", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /webhooks/%00", reachable, 404, `{"error":"no such route"}`, ""},
		{"GET /api/deliveries/%FF/evt_1", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /api/deliveries/search/%C3%BC/cancel", reachable, 404, `{"error":"no such route"}`, ""},
		{"GET /api/redeliveries/%00", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /api/destinations/%7F/pause", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /codec/%00/decode", reachable, 404, `{"error":"no such route"}`, ""},
		{"GET /api/deliveries?destination=%00", reachable, 400, `{"error":"destination must be visible ASCII characters or spaces"}`, ""},
		{"GET /api/redeliveries/" + strings.Repeat("x", 256), reachable, 404, `{"error":"no such name; none is longer than 255 characters"}`, ""},
		{"GET /api/nothing", reachable, 404, `{"error":"no such route"}`, ""},
		{"GET /", reachable, 404, `{"error":"no such route"}`, ""},
		{"POST /v1/more", reachable, 404, `{"error":"no such route"}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			handler := apitest.Validate(t, newRouter(c, testRooms(c, keys, nil, tt.giveReady, log), newGates(newLimits(c), log), log))
			method, path, _ := strings.Cut(tt.give, " ")
			w := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
			r.Host = "127.0.0.1:8080"
			handler.ServeHTTP(w, r)
			require.Equal(t, tt.wantStatus, w.Code)
			require.Equal(t, tt.wantBody, w.Body.String())
			require.Equal(t, tt.wantAllow, w.Header().Get("Allow"))
		})
	}
}

// TestRoutesAreThoseOfTheOpenAPIDocument compares paths and methods, both ways.
func TestRoutesAreThoseOfTheOpenAPIDocument(t *testing.T) {
	t.Parallel()
	document, err := apitest.Load()
	require.NoError(t, err)
	documented := make(map[string][]string)
	for path, item := range document.Paths.Map() {
		documented[path] = slices.Sorted(maps.Keys(item.Operations()))
	}

	c := config.Default()
	c.Sources = []config.Source{{Name: "x"}}
	log := slog.New(slog.DiscardHandler)
	keys, err := c.Keyring()
	require.NoError(t, err)
	rooms := testRooms(c, keys, nil, nil, log)
	registered := make(map[string][]string)
	collect := func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return nil //nolint:nilerr // the matcher of paths that nothing has
		}
		if path == "/api/" {
			return nil // the room below it is walked on its own
		}
		if path == "/" || strings.HasPrefix(path, console.Path) {
			return nil // pages for people
		}
		path = strings.ReplaceAll(path, ":.+}", "}")
		// A method that no route has is answered with those that it has.
		target := strings.NewReplacer("{version}", "v1", "{source}", "x").Replace(path)
		w := httptest.NewRecorder()
		route.GetHandler().ServeHTTP(w, mux.SetURLVars(httptest.NewRequestWithContext(t.Context(), "NONE", target, nil), map[string]string{"version": "v1", "source": "x"}))
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, path)
		registered[path] = strings.Split(w.Header().Get("Allow"), ", ")
		return nil
	}
	require.NoError(t, newRouter(c, rooms, newGates(newLimits(c), log), log).Walk(collect))
	require.NoError(t, operatorAPI(rooms.API, log).Walk(collect))
	require.Equal(t, documented, registered)
}

// A program that is ready can have something to say, on either address.
func TestReadyzWarns(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	c := config.Default()
	keys, err := c.Keyring()
	require.NoError(t, err)
	said := "nothing is delivered"
	warning := func() string { return said }
	rooms := testRooms(c, keys, nil, func(context.Context) error { return nil }, log)
	rooms.Warning = warning
	for _, h := range []http.Handler{
		apitest.Validate(t, newRouter(c, rooms, newGates(newLimits(c), log), log)),
		Probes(rooms.Ready, warning, rooms.Metrics, log),
	} {
		for text, want := range map[string]string{"nothing is delivered": "OK; nothing is delivered", "": "OK"} {
			said = text
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/readyz", http.NoBody))
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, want, w.Body.String())
		}
	}
}
