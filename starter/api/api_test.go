package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/starter/api"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// fake is a store whose answers a test decides. It notes the calls.
type fake struct {
	calls []string
	err   error
	page  deliveries.Page
}

var (
	_ api.Deliveries   = (*fake)(nil)
	_ api.Destinations = destinationsOf{}
	_ api.Figures      = (*fake)(nil)
)

func (f *fake) called(format string, args ...any) error {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

const jobID = "0198c1a2-6d0e-7b55-9d6b-7d1d2f1f6f7a"

func delivery() deliveries.Delivery {
	return deliveries.Delivery{
		Destination: "search", EventID: "evt/1", Type: "site_view", Status: deliveries.Pending, URL: "https://example.com/", AcceptedAt: noon,
		Runs: []deliveries.Run{{RunID: jobID, Reason: "event", Status: deliveries.Pending, StartedAt: noon, Attempts: []deliveries.Attempt{}}},
	}
}

func job() deliveries.Job {
	return deliveries.Job{
		ID: jobID, Status: "running", StartedAt: noon, PerSecond: 50,
		Filter: deliveries.JobFilter{Destination: "search", Status: deliveries.Undelivered, Until: noon},
	}
}

func (f *fake) List(_ context.Context, filter deliveries.Filter, limit int, cursor string) (deliveries.Page, error) {
	return f.page, f.called("list %s %s %d %q", filter.Destination, filter.Status, limit, cursor)
}

func (f *fake) Get(_ context.Context, destination, eventID string) (deliveries.Delivery, error) {
	return delivery(), f.called("get %s %s", destination, eventID)
}

func (f *fake) Redeliver(_ context.Context, destination, eventID string) (string, error) {
	return jobID, f.called("redeliver %s %s", destination, eventID)
}

func (f *fake) Retry(_ context.Context, destination, eventID string) error {
	return f.called("retry %s %s", destination, eventID)
}

func (f *fake) Cancel(_ context.Context, destination, eventID string) error {
	return f.called("cancel %s %s", destination, eventID)
}

func (f *fake) SendSamples(_ context.Context, destination string) ([]deliveries.Key, error) {
	return []deliveries.Key{{Destination: destination, EventID: "test_1"}}, f.called("test %s", destination)
}

func (f *fake) StartJob(_ context.Context, n deliveries.NewJob) (deliveries.Job, error) {
	return job(), f.called("start job %s %s %d", n.Destination, n.Status, n.PerSecond)
}

func (f *fake) Jobs(_ context.Context, limit int, cursor string) (deliveries.JobPage, error) {
	return deliveries.JobPage{Redeliveries: []deliveries.Job{job()}, NextCursor: "d"}, f.called("jobs %d %q", limit, cursor)
}

func (f *fake) EventOf(_ context.Context, destination, eventID string) (event []byte, isJSON bool, err error) {
	return []byte(`{"eventId":"evt/1", "type":"site_view"}`), true, f.called("event %s %s", destination, eventID)
}

func (f *fake) Hours(_ context.Context, name string) ([]deliveries.Hour, error) {
	return []deliveries.Hour{{Start: noon, Delivered: 2, Undelivered: 1}}, f.called("hours %s", name)
}

func (f *fake) Job(_ context.Context, id string) (deliveries.Job, error) {
	return job(), f.called("job %s", id)
}

func (f *fake) CancelJob(_ context.Context, id string) (deliveries.Job, error) {
	return job(), f.called("cancel job %s", id)
}

// destinationsOf are the destinations of a fake.
type destinationsOf struct{ *fake }

func destination(name, state string) deliveries.Destination {
	return deliveries.Destination{Name: name, URL: "https://example.com/", Events: []string{"site_view"}, State: state}
}

func (f destinationsOf) All(context.Context) ([]deliveries.Destination, error) {
	return []deliveries.Destination{destination("search", deliveries.StateActive)}, f.called("destinations")
}

func (f destinationsOf) Pause(_ context.Context, name string) (deliveries.Destination, error) {
	return destination(name, deliveries.StatePaused), f.called("pause %s", name)
}

func (f destinationsOf) Resume(_ context.Context, name string) (deliveries.Destination, error) {
	return destination(name, deliveries.StateReleasing), f.called("resume %s", name)
}

// serve answers one request, and holds the answer against the OpenAPI document.
func serve(t *testing.T, f *fake, method, path, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	api.NewAPI(f, destinationsOf{f}, f, slog.New(slog.DiscardHandler)).Register(r)
	request := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	request.Host = "127.0.0.1:8080"
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	w := httptest.NewRecorder()
	apitest.Validate(t, r).ServeHTTP(w, request)
	return w
}

// routes are one request of every route, and the call that it becomes.
var routes = []struct {
	method, path, body string
	wantStatus         int
	want, wantCall     string
}{
	{"GET", "/api/deliveries?destination=search&status=held&limit=7&cursor=c", "", 200, `{"deliveries":[]}`, `list search held 7 "c"`},
	{"GET", "/api/deliveries/search/evt%2F1", "", 200, `"eventId":"evt/1"`, "get search evt/1"},
	{"GET", "/api/deliveries/search/evt%2F1/event", "", 200, `{"eventId":"evt/1", "type":"site_view"}`, "event search evt/1"},
	{"POST", "/api/deliveries/search/evt%2F1/redeliver", "", 202, `{"destination":"search","eventId":"evt/1","runId":"` + jobID + `"}`, "redeliver search evt/1"},
	{"POST", "/api/deliveries/search/evt_1/retry", "", 202, `{"destination":"search","eventId":"evt_1"}`, "retry search evt_1"},
	{"POST", "/api/deliveries/search/evt_1/cancel", "", 202, `{"destination":"search","eventId":"evt_1"}`, "cancel search evt_1"},
	{"POST", "/api/redeliveries", `{"destination":"search"}`, 202, `"id":"` + jobID + `"`, "start job search undelivered 50"},
	{"GET", "/api/redeliveries?limit=3&cursor=c", "", 200, `"nextCursor":"d"`, `jobs 3 "c"`},
	{"GET", "/api/redeliveries/" + jobID, "", 200, `"status":"running"`, "job " + jobID},
	{"DELETE", "/api/redeliveries/" + jobID, "", 202, `"id":"` + jobID + `"`, "cancel job " + jobID},
	{"GET", "/api/destinations", "", 200, `{"destinations":[{"name":"search"`, "destinations"},
	{"GET", "/api/destinations/search/hours", "", 200, `{"hours":[{"start":"2026-03-04T12:00:00Z","delivered":2,"undelivered":1}]}`, "hours search"},
	{"POST", "/api/destinations/search/pause", "", 202, `"state":"paused"`, "pause search"},
	{"POST", "/api/destinations/search/resume", "", 202, `"state":"releasing"`, "resume search"},
	{"POST", "/api/destinations/search/test", "", 202, `{"deliveries":[{"destination":"search","eventId":"test_1"}]}`, "test search"},
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	for _, tt := range routes {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			f := &fake{page: deliveries.Page{Deliveries: []deliveries.Delivery{}}}
			w := serve(t, f, tt.method, tt.path, tt.body)
			require.Equal(t, tt.wantStatus, w.Code, w.Body)
			require.Contains(t, w.Body.String(), tt.want)
			require.Equal(t, []string{tt.wantCall}, f.calls)
		})
	}
}

// Errors of the store have one answer each, on every route.
func TestErrorsOfEveryRoute(t *testing.T) {
	t.Parallel()
	for _, tt := range routes {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			t.Parallel()
			w := serve(t, &fake{err: fmt.Errorf("%w: 10.1.2.3 refused", deliveries.ErrUnavailable)}, tt.method, tt.path, tt.body)
			require.Equal(t, http.StatusServiceUnavailable, w.Code)
			require.Equal(t, `{"error":"Temporal cannot be reached"}`, w.Body.String(), "nothing internal")
		})
	}
	tests := []struct {
		name       string
		give       error
		wantStatus int
		want       string
	}{
		{"unknown", deliveries.ErrDestinationUnknown, 404, "no such destination; it must be one of the configuration's destinations"},
		{"wrong state", &deliveries.StateError{Reason: "the destination is not held"}, 409, "the destination is not held"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := serve(t, &fake{err: tt.give}, "POST", "/api/destinations/search/resume", "")
			require.Equal(t, tt.wantStatus, w.Code)
			require.Equal(t, `{"error":"`+tt.want+`"}`, w.Body.String())
		})
	}
	w := serve(t, &fake{err: &deliveries.FilterError{Field: "space"}}, "GET", "/api/deliveries", "")
	require.Equal(t, http.StatusBadRequest, w.Code)
	require.Equal(t, `{"error":"space must be 1 to 255 visible ASCII characters or spaces"}`, w.Body.String())
	w = serve(t, &fake{err: deliveries.ErrCursor}, "GET", "/api/deliveries?cursor=x", "")
	require.Equal(t, `{"error":"cursor is not a cursor of this list"}`, w.Body.String())
}

// The store is not asked what has been refused.
func TestRefusedRequests(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/api/deliveries?limit=0", "", 400},
		{"GET", "/api/redeliveries?limit=0", "", 400},
		{"GET", "/api/redeliveries?status=running", "", 400},
		{"POST", "/api/redeliveries", `{"status":"held"}`, 400},
		{"POST", "/api/redeliveries", `{"destination":"` + strings.Repeat("x", 20_000) + `"}`, 413},
		{"POST", "/api/destinations/" + strings.Repeat("x", 300) + "/pause", "", 404},
		{"DELETE", "/api/deliveries", "", 405},
	} {
		f := &fake{}
		w := serve(t, f, tt.method, tt.path, tt.body)
		require.Equal(t, tt.want, w.Code, w.Body)
		require.Empty(t, f.calls)
	}
}
