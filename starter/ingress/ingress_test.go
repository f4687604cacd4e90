package ingress_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/starter/access"
	"github.com/gitbook-courier/courier/starter/ingress"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const (
	token        = "a-token-of-the-tests"
	sourceSecret = "c2VjcmV0LW9mLXRoZS1yZWxheS1zb3VyY2Utb25l"
	oldSecret    = "b2xkLXNlY3JldC1vZi10aGUtcmVsYXktc291cmNl"

	content     = `{"eventId":"evt_1","type":"space_content_updated","spaceId":"space_1","installationId":"inst_1","revisionId":"rev_1"}`
	environment = `{"apiTokens":{"integration":"geheim"},"installation":{"id":"inst_1"}}`
)

const configuration = `
access:
  tokens: [a-token-of-the-tests, another-token-of-the-tests]
sealing_keys: [AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=]
installations:
  - id: inst_1
  - id: inst_2
sources:
  - name: docs
    secrets: [c2VjcmV0LW9mLXRoZS1yZWxheS1zb3VyY2Utb25l, b2xkLXNlY3JldC1vZi10aGUtcmVsYXktc291cmNl]
destinations:
  - name: search-index
    url: https://search.example.com/hooks?key=geheim
    secrets: [one]
    events: [space_content_updated, page_feedback, space_gitsync_completed]
  - name: one-space
    url: https://example.com/one
    secrets: [two]
    spaces: [space_1]
  - name: one-site
    url: https://example.com/site
    secrets: [three]
    events: [site_view]
    sites: [site_1]
max_body_bytes: 4096
`

// memory is a Store that remembers what was started.
type memory struct {
	mu      sync.Mutex
	started map[string]deliveries.NewDelivery
	// uninstalled are the installations whose deliveries were given up.
	uninstalled []deliveries.Uninstalled
	err         error
}

func (s *memory) GiveUpUninstalled(_ context.Context, u deliveries.Uninstalled) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.uninstalled = append(s.uninstalled, u)
	}
	return s.err
}

func (s *memory) Start(_ context.Context, n deliveries.NewDelivery) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return false, s.err
	}
	_, stored := s.started[n.ID()]
	s.started[n.ID()] = n
	return !stored, nil
}

// screen is a settings screen that answers events of the component "config".
type screen struct {
	answer any
	err    error
}

func (s screen) Answer(_ context.Context, event gitbook.Event, _ gitbook.Environment) (answer any, asked bool, err error) {
	id, _ := event.Field("componentId")
	return s.answer, string(id) == `"config"`, s.err
}

// noScreen has no settings.
var noScreen = screen{answer: map[string]string{"type": "complete"}}

// newHandler serves the two routes, and holds its answers against the OpenAPI document.
func newHandler(t *testing.T, yaml string) (http.Handler, *memory) {
	t.Helper()
	routes, s := newRoutes(t, yaml)
	return apitest.Validate(t, routes), s
}

func newRoutes(t *testing.T, yaml string) (http.Handler, *memory) {
	t.Helper()
	s := &memory{started: make(map[string]deliveries.NewDelivery)}
	return newRoutesBefore(t, yaml, s), s
}

// newRoutesBefore is the two routes in front of a store.
func newRoutesBefore(t *testing.T, yaml string, s ingress.Store) http.Handler {
	t.Helper()
	c, err := config.Parse([]byte(yaml), "courier.yaml", config.Options{})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	in := ingress.New(c, s, noScreen, log, func() time.Time { return noon })
	guard := func(next http.Handler) http.Handler {
		return access.Require(log, c.Access.ForEvents(), access.EventKeys, next)
	}
	open := func(next http.Handler) http.Handler { return next }
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.Handle("/webhooks/{source}", in.Relay(open))
	r.Handle("/{version}", in.Runtime(guard))
	return r
}

type field struct{ name, value string }

func form(t *testing.T, fields ...field) (contentType string, body []byte) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fields {
		require.NoError(t, w.WriteField(f.name, f.value))
	}
	require.NoError(t, w.Close())
	return w.FormDataContentType(), b.Bytes()
}

// runtimeRequest is the request of GitBook's runtime, with a token.
func runtimeRequest(t *testing.T, fields ...field) *http.Request {
	t.Helper()
	contentType, body := form(t, fields...)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1", bytes.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Authorization", "Bearer "+token)
	return r
}

func eventRequest(t *testing.T, event string) *http.Request {
	t.Helper()
	return runtimeRequest(t, field{"event", event}, field{"environment", environment})
}

func relayRequest(t *testing.T, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/webhooks/docs", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(gitbook.SignatureHeader, gitbook.Sign(noon, []byte(body), sourceSecret))
	return r
}

type want struct {
	status      int
	body        string
	contentType string
	header      map[string]string
	deliveries  []string
}

func ok(ids ...string) want {
	return want{status: 200, body: "OK", contentType: "text/plain; charset=utf-8", deliveries: ids, header: map[string]string{"Courier-Delivery": strings.Join(ids, ", ")}}
}

func refused(status int, message string) want {
	return want{status: status, body: `{"error":"` + message + `"}`, contentType: "application/json"}
}

func check(t *testing.T, handler http.Handler, s *memory, r *http.Request, want want) {
	t.Helper()
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	require.Equal(t, want.body, w.Body.String())
	require.Equal(t, want.status, w.Code)
	require.Equal(t, want.contentType, w.Header().Get("Content-Type"))
	for name, value := range want.header {
		require.Equal(t, value, w.Header().Get(name), name)
	}
	ids := make([]string, 0)
	for id := range s.started {
		ids = append(ids, id)
	}
	require.ElementsMatch(t, want.deliveries, ids)
}

func TestAnswersOfTheRuntimeRoute(t *testing.T) {
	t.Parallel()
	environment := field{"environment", environment}
	tests := []struct {
		name string
		give func(*testing.T) *http.Request
		want want
	}{
		{
			"stored", func(t *testing.T) *http.Request { return eventRequest(t, content) },
			ok("evt_1@search-index", "evt_1@one-space"),
		},
		{
			"the settings screen", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"ui_render","componentId":"config","installationId":"inst_1"}`)
			},
			want{status: 200, body: `{"type":"complete"}`, contentType: "application/json", header: map[string]string{"Courier-Delivery": ""}},
		},
		{
			"the settings screen of an installation that is not accepted", func(t *testing.T) *http.Request {
				return runtimeRequest(t, field{"event", `{"eventId":"evt_1","type":"ui_render","componentId":"config","installationId":"inst_9"}`}, field{"environment", "{}"})
			},
			refused(403, `installation \"inst_9\" is not among the configuration's installations`),
		},
		{
			"fetch without a destination that lists it", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"fetch","installationId":"inst_1","request":{"method":"post","url":"https://x/","headers":{}}}`)
			},
			refused(400, "Integration does not handle HTTP requests"),
		},
		{
			"nothing wants it", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"site_view","siteId":"site_2","installationId":"inst_1"}`)
			},
			ok(),
		},
		{
			"a filter on sites", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"site_view","siteId":"site_1"}`)
			},
			ok("evt_1@one-site"),
		},
		{
			"handled because a destination lists it", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"space_gitsync_completed","spaceId":"space_9"}`)
			},
			ok("evt_1@search-index"),
		},
		{
			"the other token", func(t *testing.T) *http.Request {
				r := eventRequest(t, content)
				r.Header.Set("Authorization", "bearer another-token-of-the-tests")
				return r
			},
			ok("evt_1@search-index", "evt_1@one-space"),
		},
		{
			"the token as a Basic password", func(t *testing.T) *http.Request {
				r := eventRequest(t, content)
				r.SetBasicAuth("anyone", token)
				return r
			},
			ok("evt_1@search-index", "evt_1@one-space"),
		},
		{
			"unsupported version, before anything else", func(t *testing.T) *http.Request {
				return httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v2", strings.NewReader("nonsense"))
			},
			want{status: 400, body: "Unsupported version v2", contentType: "text/plain; charset=utf-8"},
		},
		{
			"not POST", func(t *testing.T) *http.Request {
				return httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1", nil)
			},
			want{status: 405, body: `{"error":"method not allowed; use POST"}`, contentType: "application/json", header: map[string]string{"Allow": "POST"}},
		},
		{
			"token missing", func(t *testing.T) *http.Request {
				r := eventRequest(t, content)
				r.Header.Del("Authorization")
				return r
			},
			refused(401, "token missing; send Authorization: Bearer with one of access.tokens or access.event_tokens"),
		},
		{
			"token wrong", func(t *testing.T) *http.Request {
				r := eventRequest(t, content)
				r.Header.Set("Authorization", "Bearer "+token+"x")
				return r
			},
			refused(401, "token is not one of access.tokens or access.event_tokens"),
		},
		{
			"installation not accepted", func(t *testing.T) *http.Request {
				return runtimeRequest(t, field{"event", content}, field{"environment", `{"installation":{"id":"inst_9"}}`})
			},
			refused(403, `installation \"inst_9\" is not among the configuration's installations`),
		},
		{
			"no installation at all", func(t *testing.T) *http.Request {
				return runtimeRequest(t, field{"event", `{"eventId":"evt_1","type":"site_view"}`}, field{"environment", `{}`})
			},
			refused(403, `installation \"\" is not among the configuration's installations`),
		},
		{
			"installation of the event, when the environment has none", func(t *testing.T) *http.Request {
				return runtimeRequest(t, field{"event", content}, field{"environment", `{}`})
			},
			ok("evt_1@search-index", "evt_1@one-space"),
		},
		{
			"no one handles the type", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"space_visibility_updated"}`)
			},
			refused(406, `Integration does not handle \"space_visibility_updated\" events`),
		},
		{
			"fetch", func(t *testing.T) *http.Request {
				return runtimeRequest(t, field{"event", `{"eventId":"evt_1","type":"fetch","request":{}}`}, environment, field{"fetch-body", "\x00\xff"})
			},
			refused(400, "Integration does not handle HTTP requests"),
		},
		{
			"ui_render", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"ui_render","componentId":"other"}`)
			},
			refused(404, "Component other not found"),
		},
		{
			"not multipart", func(t *testing.T) *http.Request {
				r := eventRequest(t, content)
				r.Header.Set("Content-Type", "application/json")
				return r
			},
			want{status: 415, contentType: "application/json", body: `{"error":"the content type is not multipart/form-data"}`},
		},
		{
			"announces too much", func(t *testing.T) *http.Request {
				return eventRequest(t, `{"eventId":"evt_1","type":"site_view","pad":"`+strings.Repeat("x", 5000)+`"}`)
			},
			refused(413, "body is larger than 4096 bytes (max_body_bytes)"),
		},
		{
			"sends too much without announcing it", func(t *testing.T) *http.Request {
				r := eventRequest(t, `{"eventId":"evt_1","type":"site_view","pad":"`+strings.Repeat("x", 5000)+`"}`)
				r.ContentLength = -1
				return r
			},
			refused(413, "body is larger than 4096 bytes (max_body_bytes)"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler, s := newHandler(t, configuration)
			check(t, handler, s, tt.give(t), tt.want)
		})
	}
}

func TestAnswersOfTheRelayRoute(t *testing.T) {
	t.Parallel()
	stored := ok("evt_1@search-index", "evt_1@one-space")
	tests := []struct {
		name string
		give func(*testing.T) *http.Request
		want want
	}{
		{"stored", func(t *testing.T) *http.Request { return relayRequest(t, content) }, stored},
		{"unknown source", func(t *testing.T) *http.Request {
			r := relayRequest(t, content)
			r.URL.Path = "/webhooks/other"
			return r
		}, refused(404, "no such source; it must be one of the configuration's sources")},
		{"not POST", func(t *testing.T) *http.Request {
			r := relayRequest(t, content)
			r.Method = http.MethodPut
			return r
		}, want{status: 405, body: `{"error":"method not allowed; use POST"}`, contentType: "application/json", header: map[string]string{"Allow": "POST"}}},
		{"not JSON", func(t *testing.T) *http.Request {
			r := relayRequest(t, content)
			r.Header.Set("Content-Type", "text/plain")
			return r
		}, refused(415, "Content-Type must be application/json")},
		{"JSON, with a parameter and in capitals", func(t *testing.T) *http.Request {
			r := relayRequest(t, content)
			r.Header.Set("Content-Type", "Application/JSON; charset=utf-8")
			return r
		}, stored},
		{"no one handles the type", func(t *testing.T) *http.Request {
			return relayRequest(t, `{"eventId":"evt_1","type":"new_type"}`)
		}, refused(406, `Integration does not handle \"new_type\" events`)},
		{"too large", func(t *testing.T) *http.Request { return relayRequest(t, strings.Repeat(" ", 5000)+content) }, refused(413, "body is larger than 4096 bytes (max_body_bytes)")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler, s := newHandler(t, configuration)
			check(t, handler, s, tt.give(t), tt.want)
		})
	}
}

func TestDuplicateIsAnsweredAndSaid(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, configuration)
	first := httptest.NewRecorder()
	handler.ServeHTTP(first, eventRequest(t, content))
	require.Empty(t, first.Header().Get("Courier-Duplicate"))

	want := ok("evt_1@search-index", "evt_1@one-space")
	want.header["Courier-Duplicate"] = "true"
	check(t, handler, s, eventRequest(t, content), want)
}

// A destination that failed to be stored is no reason to call the whole event a duplicate when it
// comes again.
func TestPartlyStoredEventIsNoDuplicate(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, configuration)
	s.started["evt_1@search-index"] = deliveries.NewDelivery{}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, eventRequest(t, content))
	require.Equal(t, http.StatusOK, w.Code)
	require.Empty(t, w.Header().Get("Courier-Duplicate"))
	require.Equal(t, "evt_1@search-index, evt_1@one-space", w.Header().Get("Courier-Delivery"))
}

func TestUnreachableStoreIsAnswered503(t *testing.T) {
	t.Parallel()
	for _, request := range []func(*testing.T, string) *http.Request{eventRequest, relayRequest} {
		handler, s := newHandler(t, configuration)
		s.err = errors.New("dial tcp 10.1.2.3:7233: connection refused")
		want := refused(503, "the event could not be stored; send it again")
		want.header = map[string]string{"Retry-After": "5", "Courier-Delivery": ""}
		check(t, handler, s, request(t, content), want)
	}
}

func TestEventIsStoredByteForByte(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, `
destinations:
  - name: search
    url: https://example.com/hook?key=geheim
    secrets: [one]
`)
	odd := "{ \"eventId\":\"evt 1\", \"type\":\"site_view\", \"siteId\":\"site_1\", \"installationId\":\"inst_7\", \"s\":\"& < > é \u2028 😀\" }\n"
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, runtimeRequest(t, field{"environment", `{}`}, field{"event", odd}, field{"event", content}))
	require.Equal(t, http.StatusOK, w.Code, w.Body)

	n := s.started["evt 1@search"]
	require.Equal(t, odd, string(n.Event.Raw()))
	require.Equal(t, "search", n.Destination)
	require.Equal(t, "inst_7", n.Installation)
	require.Equal(t, deliveries.ReasonEvent, n.Reason)
	require.Equal(t, noon, n.AcceptedAt)
	require.Nil(t, n.Webhook)
}

func TestInstallationIsADestinationWhenGitBooksSwitchIsOn(t *testing.T) {
	t.Parallel()
	const installation = `"installation":{"id":"inst_1","configuration":{"webhookUrl":"https://hooks.example.com/x?key=geheim","secret":"geheim"}}`
	tests := []struct {
		name string
		give string
		want bool
	}{
		{"space switch on", `{` + installation + `,"spaceInstallation":{"configuration":{"space_content_updated":true}}}`, true},
		{"space switch off", `{` + installation + `,"spaceInstallation":{"configuration":{"space_content_updated":false}}}`, false},
		{"another switch on", `{` + installation + `,"spaceInstallation":{"configuration":{"site_view":true}}}`, false},
		{"site switch on", `{` + installation + `,"siteInstallation":{"configuration":{"space_content_updated":true}}}`, true},
		{"both, the space's decides", `{` + installation + `,"spaceInstallation":{"configuration":{"space_content_updated":false}},"siteInstallation":{"configuration":{"space_content_updated":true}}}`, false},
		{"configuration missing", `{` + installation + `}`, false},
		{"no webhook configured", `{"installation":{"id":"inst_1"},"spaceInstallation":{"configuration":{"space_content_updated":true}}}`, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler, s := newHandler(t, configuration)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, runtimeRequest(t, field{"event", content}, field{"environment", tt.give}))
			require.Equal(t, http.StatusOK, w.Code, w.Body)

			n, stored := s.started["evt_1@installation.inst_1"]
			require.Equal(t, tt.want, stored)
			require.Contains(t, s.started, "evt_1@search-index", "GitBook's switches do not gate configured destinations")
			if stored {
				require.Equal(t, gitbook.Webhook{URL: "https://hooks.example.com/x?key=geheim", Secret: "geheim"}, *n.Webhook)
				require.Empty(t, n.Destination)
			}
		})
	}
}

// Without a list of installations every event is taken for the configured destinations, but no
// caller can name a URL to send to.
func TestNoInstallationsListedPinsNone(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, "destinations: [{name: search, url: 'https://example.com/', secrets: [one]}]")
	env := `{"installation":{"id":"inst_5","configuration":{"webhookUrl":"https://evil.example.com/","secret":"s"}},"spaceInstallation":{"configuration":{"space_content_updated":true}}}`
	check(t, handler, s, runtimeRequest(t, field{"event", content}, field{"environment", env}), ok("evt_1@search"))
}

// An installation that is gone gets nothing any more, whoever else wants the event.
func TestUninstalling(t *testing.T) {
	t.Parallel()
	const unhandled = http.StatusNotAcceptable
	tests := []struct {
		name, give, environment string
		want                    []deliveries.Uninstalled
		status                  int
	}{
		{
			"from the organization", `{"eventId":"evt_1","type":"installation_deleted","installationId":"inst_1"}`, `{}`,
			[]deliveries.Uninstalled{{EventID: "evt_1", Installation: "inst_1"}},
			unhandled,
		},
		{
			"as the environment says", `{"eventId":"evt_1","type":"installation_deleted"}`, `{"installation":{"id":"inst_2"}}`,
			[]deliveries.Uninstalled{{EventID: "evt_1", Installation: "inst_2"}},
			unhandled,
		},
		{
			"from a space", `{"eventId":"evt_1","type":"space_installation_deleted","installationId":"inst_1","spaceId":"space_1","siteId":"site_1"}`, `{}`,
			[]deliveries.Uninstalled{{EventID: "evt_1", Installation: "inst_1", Space: "space_1"}},
			unhandled,
		},
		{
			"from a site, with a destination that lists it", `{"eventId":"evt_1","type":"site_installation_deleted","installationId":"inst_1","siteId":"site_1"}`, `{}`,
			[]deliveries.Uninstalled{{EventID: "evt_1", Installation: "inst_1", Site: "site_1"}},
			http.StatusOK,
		},
		{"from nowhere", `{"eventId":"evt_1","type":"space_installation_deleted","installationId":"inst_1"}`, `{}`, nil, unhandled},
		{"set up", `{"eventId":"evt_1","type":"installation_setup","installationId":"inst_1"}`, `{}`, nil, unhandled},
		{"an installation that is not accepted", `{"eventId":"evt_1","type":"installation_deleted","installationId":"inst_9"}`, `{}`, nil, http.StatusForbidden},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler, s := newHandler(t, `
installations: [{id: inst_1}, {id: inst_2}]
sealing_keys: ["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
destinations: [{name: search, url: 'https://example.com/', secrets: [one], events: [site_installation_deleted]}]
`)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, runtimeRequest(t, field{"event", tt.give}, field{"environment", tt.environment}))
			require.Equal(t, tt.status, w.Code, w.Body)
			require.Equal(t, tt.want, s.uninstalled)
			require.Equal(t, tt.status == http.StatusOK, len(s.started) == 1)
		})
	}
}

// The sender still has the event when Temporal did not take it.
func TestUninstallingWithoutTemporalIsAnswered503(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, "installations: [{id: inst_1}]\nsealing_keys: [\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"]")
	s.err = deliveries.ErrUnavailable
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, runtimeRequest(t, field{"event", `{"eventId":"evt_1","type":"installation_deleted","installationId":"inst_1"}`}, field{"environment", `{}`}))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
}
