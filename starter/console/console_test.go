package console_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/console"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// hostile is what somebody might put wherever a text comes from outside.
const hostile = "<script>alert(1)</script>\"'`{{.}}[x](y)\u202egnp.exe\x00\u200b"

// fake is a store whose answers a test decides. It notes the calls.
type fake struct {
	console.Deliveries
	calls  []string
	err    error
	found  deliveries.Delivery
	job    deliveries.Job
	event  []byte
	isJSON bool
	list   deliveries.Page
	dests  []deliveries.Destination
	pulse  deliveries.Pulse
}

func (f *fake) called(format string, args ...any) error {
	f.calls = append(f.calls, fmt.Sprintf(format, args...))
	return f.err
}

func (f *fake) List(_ context.Context, filter deliveries.Filter, limit int, cursor string) (deliveries.Page, error) {
	return f.list, f.called("list %s %s %s %d %q", filter.Destination, filter.Status, filter.Since.Format(time.RFC3339), limit, cursor)
}

func (f *fake) Get(context.Context, string, string) (deliveries.Delivery, error) {
	return f.found, f.err
}

func (f *fake) EventOf(context.Context, string, string) (event []byte, isJSON bool, err error) {
	return f.event, f.isJSON, f.err
}

func (f *fake) Redeliver(_ context.Context, destination, eventID string) (string, error) {
	return "", f.called("redeliver %s %s", destination, eventID)
}

func (f *fake) Retry(_ context.Context, destination, eventID string) error {
	return f.called("retry %s %s", destination, eventID)
}

func (f *fake) Cancel(_ context.Context, destination, eventID string) error {
	return f.called("cancel %s %s", destination, eventID)
}

func (f *fake) SendSamples(_ context.Context, destination string) ([]deliveries.Key, error) {
	return nil, f.called("test %s", destination)
}

func (f *fake) SendSample(_ context.Context, destination, eventType string) (deliveries.Key, error) {
	return deliveries.Key{Destination: destination, EventID: "test_1"}, f.called("sample %s %s", destination, eventType)
}

func (f *fake) StartJob(_ context.Context, n deliveries.NewJob) (deliveries.Job, error) {
	return f.job, f.called("start %s %s %s dry=%t", n.Destination, n.Status, n.Since.Format(time.RFC3339), n.DryRun)
}

func (f *fake) Jobs(context.Context, int, string) (deliveries.JobPage, error) {
	return deliveries.JobPage{Redeliveries: []deliveries.Job{f.job}, NextCursor: "c"}, f.err
}

func (f *fake) Job(context.Context, string) (deliveries.Job, error) { return f.job, f.err }

func (f *fake) CancelJob(_ context.Context, id string) (deliveries.Job, error) {
	return f.job, f.called("stop %s", id)
}

func (f *fake) All(context.Context) ([]deliveries.Destination, error) { return f.dests, f.err }

func (f *fake) Pause(_ context.Context, name string) (deliveries.Destination, error) {
	return deliveries.Destination{}, f.called("pause %s", name)
}

func (f *fake) Resume(_ context.Context, name string) (deliveries.Destination, error) {
	return deliveries.Destination{}, f.called("resume %s", name)
}

func (f *fake) Hours(context.Context, string) ([]deliveries.Hour, error) {
	return []deliveries.Hour{{Start: noon, Delivered: 3, Undelivered: 1}}, f.err
}

func (f *fake) Pulse(context.Context) (deliveries.Pulse, error) { return f.pulse, f.err }

func newFake() *fake {
	since := noon.Add(-time.Hour)
	return &fake{
		found: deliveries.Delivery{
			Destination: "search", EventID: "evt/1", Type: "site_view", Status: deliveries.Undelivered, URL: "https://example.com/", AcceptedAt: noon,
			Failure: "Rejected: 404 Not Found", AttemptCount: 1,
			Runs: []deliveries.Run{{
				RunID: "run-1", Reason: "event", Status: deliveries.Undelivered, StartedAt: noon, ClosedAt: &noon,
				Attempts: []deliveries.Attempt{{Number: 1, StartedAt: noon, Outcome: "Rejected", StatusCode: 404, Error: "404 Not Found", Reply: hostile, DurationMs: 12}},
			}, {RunID: "run-2", Reason: "redelivery", Status: deliveries.Undelivered, StartedAt: noon}},
		},
		pulse: deliveries.Pulse{PerMinute: 12.44, Workers: 2},
		event: []byte(`{"eventId":"evt/1","x":` + fmt.Sprintf("%q", "<script>") + `}`), isJSON: true,
		job: deliveries.Job{ID: "job-1", Status: "completed", StartedAt: noon, DryRun: true, Found: 7, Filter: deliveries.JobFilter{Destination: "search", Status: deliveries.Undelivered, Since: since, Until: noon}},
		dests: []deliveries.Destination{
			{Name: "search", URL: "https://example.com/", State: deliveries.StateActive, Schedule: &deliveries.Schedule{}, Delivered: 3, Waiting: 2, OldestMs: 90_000},
			{Name: "slack", State: deliveries.StatePaused, HeldSince: &noon, Schedule: &deliveries.Schedule{}},
			{Name: "gone", State: deliveries.StateUnknown, Advice: "it is not in the configuration"},
		},
	}
}

func serve(t *testing.T, f *fake, method, target string, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	console.New(console.Options{
		Deliveries: f, Destinations: f, Figures: f, EventTypes: []string{"page_feedback", "site_view"},
		WorkflowURL: func(destination, eventID, runID string) string {
			return "https://temporal.example.com/" + url.PathEscape(eventID+"@"+destination) + "/" + runID
		},
		Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return noon },
	}).Register(r)
	request := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'; style-src 'self'; script-src 'self'")
	return w
}

func TestPages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		path string
		want []string
	}{
		{"/console", []string{"delivering", "Pause", "paused", "Resume", "not in the configuration", "1 min 30 s", "<svg", "Last 24 hours: 3 delivered, 1 undelivered", "12.4 deliveries a minute", "2 workers at work"}},
		{"/console/deliveries", []string{"no event has come in yet"}},
		{"/console/deliveries/search/evt%2F1", []string{
			"evt/1", "given up", "404 Not Found", "Attempt 1: Rejected", "Redelivery", "First send", `action="/console/deliveries/search/evt%2F1/redeliver"`,
			"https://temporal.example.com/evt%2F1@search/run-2", "&#34;x&#34;: &#34;&lt;script&gt;&#34;", "/api/deliveries/search/evt%2F1/event",
		}},
		{"/console/redeliveries", []string{"undelivered", "counted only", "/console/redeliveries/job-1", "cursor=c"}},
		{"/console/redeliveries/job-1", []string{"7 deliveries matched; nothing was sent", "Send these again", `value="2026-03-04T11:00:00Z"`}},
		{"/console/try?destination=slack&type=site_view", []string{"<option selected>slack", "<option selected>site_view"}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			w := serve(t, newFake(), http.MethodGet, tt.path, nil)
			require.Equal(t, http.StatusOK, w.Code, w.Body)
			require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			for _, want := range tt.want {
				require.Contains(t, w.Body.String(), want)
			}
		})
	}
	for path, mediaType := range map[string]string{"/console/style.css": "text/css", "/console/console.js": "text/javascript"} {
		w := serve(t, newFake(), http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, w.Code)
		require.True(t, strings.HasPrefix(w.Header().Get("Content-Type"), mediaType))
	}
}

func TestOverviewWithoutWorkers(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.pulse = deliveries.Pulse{}
	body := serve(t, f, http.MethodGet, "/console", nil).Body.String()
	require.Contains(t, body, "No worker has asked for work")
	require.NotContains(t, body, "at work")
}

// The buttons do what the API does, and lead to the page that shows it.
func TestActs(t *testing.T) {
	t.Parallel()
	filter := url.Values{"destination": {"search"}, "type": {""}, "status": {"undelivered"}, "since": {"2026-03-04T11:00"}, "until": {""}}
	with := func(name, value string) url.Values {
		form := url.Values{name: {value}}
		for name, values := range filter {
			form[name] = values
		}
		return form
	}
	for _, tt := range []struct {
		path       string
		form       url.Values
		want, call string
	}{
		{"/console/deliveries/search/evt%2F1/redeliver", url.Values{}, "/console/deliveries/search/evt%2F1", "redeliver search evt/1"},
		{"/console/deliveries/search/evt%2F1/retry", url.Values{}, "/console/deliveries/search/evt%2F1", "retry search evt/1"},
		{"/console/deliveries/search/evt%2F1/cancel", url.Values{}, "/console/deliveries/search/evt%2F1", "cancel search evt/1"},
		{"/console/destinations/search/pause", url.Values{}, "/console", "pause search"},
		{"/console/destinations/search/resume", url.Values{}, "/console", "resume search"},
		{"/console/destinations/search/test", url.Values{}, "/console", "test search"},
		{"/console/redeliveries", with("do", "count"), "/console/redeliveries/job-1", "start search undelivered 2026-03-04T11:00:00Z dry=true"},
		{"/console/redeliveries", with("do", "send"), "/console/redeliveries/job-1", "start search undelivered 2026-03-04T11:00:00Z dry=false"},
		{"/console/redeliveries", url.Values{"status": {"undelivered"}}, "/console/redeliveries/job-1", "start  undelivered 0001-01-01T00:00:00Z dry=true"},
		{"/console/redeliveries/job-1/stop", url.Values{}, "/console/redeliveries/job-1", "stop job-1"},
		{"/console/try", url.Values{"destination": {"search"}, "type": {"site_view"}}, "/console/deliveries/search/test_1", "sample search site_view"},
	} {
		t.Run(tt.path+" "+tt.form.Get("do"), func(t *testing.T) {
			t.Parallel()
			f := newFake()
			w := serve(t, f, http.MethodPost, tt.path, tt.form)
			require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
			require.Equal(t, tt.want, w.Header().Get("Location"))
			require.Equal(t, []string{tt.call}, f.calls)
		})
	}
}

func TestFormsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		method, path string
		form         url.Values
		want         string
	}{
		{http.MethodGet, "/console/deliveries?since=yesterday", nil, "since is not a time such as"},
		{http.MethodGet, "/console/deliveries?status=lost", nil, "status must be one of"},
		{http.MethodPost, "/console/redeliveries", url.Values{"since": {"2026-03-04T12:00"}, "until": {"2026-03-04T11:00"}}, "since must be before until"},
		{http.MethodPost, "/console/try", url.Values{"destination": {"search"}, "type": {"other"}}, "choose a type of the list"},
	} {
		f := newFake()
		w := serve(t, f, tt.method, tt.path, tt.form)
		require.Equal(t, http.StatusBadRequest, w.Code)
		require.Contains(t, w.Body.String(), tt.want)
		require.Contains(t, w.Body.String(), `role="alert"`)
		require.Empty(t, f.calls)
	}
}

func TestListKeepsItsFilters(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.list = deliveries.Page{Deliveries: []deliveries.Delivery{f.found}, NextCursor: "c2"}
	w := serve(t, f, http.MethodGet, "/console/deliveries?destination=search&status=undelivered&type=&since=2026-03-04T11:00&cursor=c1", nil)
	require.Equal(t, []string{`list search undelivered 2026-03-04T11:00:00Z 50 "c1"`}, f.calls)
	for _, want := range []string{
		`value="search"`, "<option selected>undelivered", `href="/console/deliveries?cursor=c2&amp;destination=search&amp;since=2026-03-04T11%3A00%3A00Z&amp;status=undelivered"`,
		`href="/console/deliveries?destination=search`,
	} {
		require.Contains(t, w.Body.String(), want)
	}
	require.NotContains(t, w.Body.String(), "data-live>", "an older part of the list stays as it is")
}

// Errors are pages of their status, without anything internal.
func TestErrorsArePages(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err    error
		status int
		want   string
	}{
		{deliveries.ErrUnknown, 404, "no such delivery"},
		{fmt.Errorf("%w: 10.1.2.3 refused", deliveries.ErrUnavailable), 503, "Temporal cannot be reached"},
		{&deliveries.StateError{Reason: "the delivery is not over"}, 409, "the delivery is not over"},
		{fmt.Errorf("a secret"), 500, "internal error"},
	} {
		for method, path := range map[string]string{http.MethodGet: "/console/deliveries/search/evt_1", http.MethodPost: "/console/deliveries/search/evt_1/redeliver"} {
			f := newFake()
			f.err = tt.err
			w := serve(t, f, method, path, nil)
			require.Equal(t, tt.status, w.Code)
			require.Contains(t, w.Body.String(), tt.want)
			require.NotContains(t, w.Body.String(), "10.1.2.3")
			require.NotContains(t, w.Body.String(), "a secret")
		}
	}
	require.Equal(t, http.StatusNotFound, serve(t, newFake(), http.MethodPost, "/console/deliveries/search/evt_1/delete", nil).Code)
	require.Equal(t, http.StatusNotFound, serve(t, newFake(), http.MethodPost, "/console/destinations/search/delete", nil).Code)
	require.Equal(t, http.StatusMethodNotAllowed, serve(t, newFake(), http.MethodGet, "/console/deliveries/search/evt_1/redeliver", nil).Code)
}

// Whatever comes from outside is text: no element, no attribute, no mark that turns the text around it.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	f := newFake()
	f.found.EventID, f.found.Failure, f.found.Type, f.found.Installation = hostile, hostile, hostile, hostile
	f.found.Runs[0].Attempts[0].Error, f.found.Runs[0].Reason = hostile, hostile
	f.event = []byte(`{"a":"` + strings.Repeat("<script>\u202e", 100_000) + `"}`)
	f.list = deliveries.Page{Deliveries: []deliveries.Delivery{f.found}}
	f.dests[0].LastError, f.dests[0].LastErrorAt, f.dests[2].Advice, f.dests[2].Name = hostile, &noon, hostile, hostile
	f.job.Filter.Type = "<script>alert(1)</script>" // a filter is printable
	for _, path := range []string{"/console", "/console/deliveries?type=%3Cscript%3E", "/console/deliveries/search/evt_1", "/console/redeliveries", "/console/redeliveries/job-1", "/console/try"} {
		w := serve(t, f, http.MethodGet, path, nil)
		require.Equal(t, http.StatusOK, w.Code, w.Body)
		require.Equal(t, 1, strings.Count(w.Body.String(), "<script"), path)
		require.NotContains(t, w.Body.String(), "\u202e", path)
		require.NotContains(t, w.Body.String(), "\x00", path)
	}
	w := serve(t, f, http.MethodGet, "/console/deliveries/search/evt_1", nil)
	require.Contains(t, w.Body.String(), "this is the beginning")
	require.Less(t, w.Body.Len(), 1<<20)

	f.event, f.isJSON = []byte{0, 0xff, '<'}, false
	w = serve(t, f, http.MethodGet, "/console/deliveries/search/evt_1", nil)
	require.Contains(t, w.Body.String(), "\ufffd\ufffd&lt;")
}
