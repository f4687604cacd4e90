package apitest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/workflows"
)

// recorder is a test that fails without telling anyone.
type recorder struct {
	testing.TB
	errors []string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

const (
	jsonType = "application/json"
	textType = "text/plain; charset=utf-8"
	job      = `{"id":"0198c1a2-6d0e-7b55-9d6b-7d1d2f1f6f7a","status":"running","startedAt":"2026-01-31T15:04:05Z","filter":{"until":"2026-01-31T15:04:05Z"},"dryRun":false,"perSecond":50,"found":0,"started":0,"skipped":0,"failed":0,"delivered":0,"undelivered":0,"waiting":0}`
)

var signature = map[string]string{"Content-Type": jsonType, "X-GitBook-Signature": "t=1,v1=00"}

func form(fields ...string) string {
	var b strings.Builder
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		fmt.Fprintf(&b, "--x\r\nContent-Disposition: form-data; name=%q\r\n\r\n%s\r\n", name, value)
	}
	return b.String() + "--x--\r\n"
}

func TestExchanges(t *testing.T) {
	t.Parallel()
	multipart := map[string]string{"Content-Type": "multipart/form-data; boundary=x"}
	ok := map[string]string{"Content-Type": textType}
	asJSON := map[string]string{"Content-Type": jsonType}
	tests := []struct {
		name       string
		give       string
		giveHeader map[string]string
		giveBody   string
		status     int
		header     map[string]string
		body       string
		want       string
	}{
		{"as documented", "GET /healthz", nil, "", 200, ok, "OK", ""},
		{"HEAD", "HEAD /healthz", nil, "", 200, ok, "", ""},
		{"another text", "GET /healthz", nil, "", 200, ok, "fine", "answer: "},
		{"another media type", "GET /healthz", nil, "", 200, asJSON, `"OK"`, "answer: "},
		{"a status that is not documented", "GET /healthz", nil, "", 204, nil, "", "answer: "},
		{"a path that is not documented", "GET /nothing/here", nil, "", 200, ok, "OK", "no matching operation was found"},
		{"an unknown path", "GET /nothing/here", nil, "", 404, asJSON, `{"error":"no such route"}`, ""},
		{"a method that is not documented", "PATCH /healthz", nil, "", 200, ok, "OK", "method not allowed"},
		{"an unknown method", "PATCH /healthz", nil, "", 405, map[string]string{"Content-Type": jsonType, "Allow": "GET"}, `{"error":"use GET"}`, ""},
		{"an unknown version, before the method", "PATCH /v2", nil, "", 400, ok, "Unsupported version v2", ""},
		{"Allow is missing", "PATCH /healthz", nil, "", 405, asJSON, `{"error":"use GET"}`, `"Allow" missing`},
		{"a further member of an error", "GET /readyz", nil, "", 503, asJSON, `{"error":"no","code":1}`, "answer: "},
		{"an error without words", "GET /readyz", nil, "", 503, asJSON, `{"error":""}`, "answer: "},
		{"a header that is not documented", "GET /healthz", nil, "", 200, map[string]string{"Content-Type": textType, "Courier-Delivery": "a@b"}, "OK", "Courier-Delivery is not documented"},
		{"Retry-After is missing", "POST /webhooks/docs", signature, "{}", 503, asJSON, `{"error":"no"}`, `"Retry-After" missing`},
		{"WWW-Authenticate is missing", "GET /api/deliveries", nil, "", 401, asJSON, `{"error":"no"}`, `"WWW-Authenticate" missing`},
		{"an event", "POST /webhooks/docs", signature, `{"eventId":"evt_1","type":"site_view","more":1}`, 200, ok, "OK", ""},
		{"not signed", "POST /webhooks/docs", asJSON, `{"eventId":"evt_1","type":"site_view"}`, 200, ok, "OK", "gitbookSignature"},
		{"no event id", "POST /webhooks/docs", signature, `{"type":"site_view"}`, 200, ok, "OK", "request: "},
		{"an event id with a control character", "POST /webhooks/docs", signature, `{"eventId":"a\n","type":"site_view"}`, 200, ok, "OK", "request: "},
		{"a refused request need not be as documented", "POST /webhooks/docs", signature, `[]`, 400, asJSON, `{"error":"no"}`, ""},
		{"a form", "POST /v1", multipart, form("event={}", "environment={}", "more=1"), 200, ok, "OK", ""},
		{"a form without environment", "POST /v1", multipart, form("event={}"), 200, ok, "OK", "environment"},
		{"another version", "POST /v2", multipart, form("event={}", "environment={}"), 200, ok, "OK", "version"},
		{"a list", "GET /api/deliveries?limit=200&since=2026-01-31T15:04:05Z", nil, "", 200, asJSON, `{"deliveries":[]}`, ""},
		{"a parameter out of bounds", "GET /api/deliveries?limit=201", nil, "", 200, asJSON, `{"deliveries":[]}`, "limit"},
		{"a parameter that is no time", "GET /api/deliveries?since=today", nil, "", 200, asJSON, `{"deliveries":[]}`, "since"},
		{"a parameter that is not documented", "GET /api/deliveries?order=up", nil, "", 200, asJSON, `{"deliveries":[]}`, "order is not documented"},
		{"null instead of a list", "GET /api/deliveries", nil, "", 200, asJSON, `{"deliveries":null}`, "answer: "},
		{"an encoded event id", "POST /api/deliveries/search/evt%2F1/cancel", nil, "", 202, asJSON, `{"destination":"search","eventId":"evt/1"}`, ""},
		{"a job", "POST /api/redeliveries", asJSON, `{"dryRun":true}`, 202, asJSON, job, ""},
		{"a member that is not documented", "POST /api/redeliveries", asJSON, `{"dry":true}`, 202, asJSON, job, "request: "},
		{"a time that is not UTC", "GET /api/redeliveries/1", nil, "", 200, asJSON, strings.Replace(job, "05Z", "05+01:00", 1), "answer: "},
		{"a time that is none", "GET /api/redeliveries/1", nil, "", 200, asJSON, strings.Replace(job, "2026-01-31T15", "2026-01-32T15", 1), "answer: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			method, target, _ := strings.Cut(tt.give, " ")
			var received string
			handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body) // what could be read is compared below
				received = string(body)
				for name, value := range tt.header {
					w.Header().Set(name, value)
				}
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			request := func() *http.Request {
				r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(tt.giveBody))
				for name, value := range tt.giveHeader {
					r.Header.Set(name, value)
				}
				return r
			}
			check := func(failed []string, status int, header http.Header, body string) {
				t.Helper()
				require.Equal(t, tt.giveBody, received, "the handler gets the whole body")
				require.Equal(t, tt.status, status)
				require.Equal(t, tt.body, body, "the caller gets the whole answer")
				for name, value := range tt.header {
					require.Equal(t, value, header.Get(name))
				}
				if tt.want == "" {
					require.Empty(t, failed)
					return
				}
				require.Len(t, failed, 1)
				require.Contains(t, failed[0], tt.want)
			}

			served := &recorder{TB: t}
			w := httptest.NewRecorder()
			apitest.Validate(served, handler).ServeHTTP(w, request())
			check(served.errors, w.Code, w.Header(), w.Body.String())

			sent := &recorder{TB: t}
			transport := apitest.Transport(sent, roundTripper(func(r *http.Request) (*http.Response, error) {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, r)
				return w.Result(), nil
			}))
			answer, err := transport.RoundTrip(request())
			require.NoError(t, err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			check(sent.errors, answer.StatusCode, answer.Header, string(body))
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Courier encodes every member that the document has, and no other.
func TestSchemas(t *testing.T) {
	t.Parallel()
	document, err := apitest.Load()
	require.NoError(t, err)
	const id = "0198c1a2-6d0e-7b55-9d6b-7d1d2f1f6f7a"
	noon := time.Date(2026, 1, 31, 12, 0, 0, 1000, time.UTC)
	attempt := activities.Attempt{
		Number: 1, StartedAt: noon, DurationMs: 1, StatusCode: 503, Outcome: activities.FailureUnavailable, Error: "503 Service Unavailable",
		Reply: "busy", WaitMs: 1000, Worker: "1@host",
	}
	tests := []struct {
		name string
		give any
	}{
		{"Attempt", attempt},
		{"Delivery", deliveries.Delivery{
			Destination: "search", EventID: "evt_1", Type: "site_view", Status: deliveries.Retrying, Installation: "inst_1", Space: "space_1", Site: "site_1",
			URL: "https://example.com/", AcceptedAt: noon, ClosedAt: &noon, Failure: "Unavailable: 503 Service Unavailable", AttemptCount: 1,
			Runs: []deliveries.Run{{
				RunID: id, Reason: workflows.ReasonEvent, Status: deliveries.Retrying, StartedAt: noon, ClosedAt: &noon, NextAttemptAt: &noon,
				Attempts: []activities.Attempt{attempt},
			}},
		}},
		{"Redelivery", deliveries.Job{ID: id, Status: "running", StartedAt: noon, ClosedAt: &noon, PerSecond: 50}},
		{"UndeliveredNotice", workflows.UndeliveredNotice{
			EventID: "undelivered_" + id, Type: workflows.UndeliveredEventType, Destination: "search", URL: "https://example.com/",
			Delivery: workflows.NoticeDelivery{EventID: "evt_1", Type: "site_view"}, RunID: id, AcceptedAt: noon, ClosedAt: noon,
		}},
		{"HeldNotice", workflows.HeldNotice{EventID: "held_" + id, Type: workflows.HeldEventType, Destination: "search", HeldSince: noon}},
		{"Probe", map[string]string{"eventId": "probe_" + id, "type": activities.ProbeEventType}},
		{"Event", json.RawMessage(gitbook.Sample(gitbook.EventPageFeedback, "evt_1"))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			encoded, err := json.Marshal(tt.give)
			require.NoError(t, err)
			var value map[string]any
			require.NoError(t, json.Unmarshal(encoded, &value))
			schema := document.Components.Schemas[tt.name].Value
			require.NoError(t, schema.VisitJSON(value, openapi3.EnableJSONSchema2020()))
			if tt.name == "Event" || tt.name == "Probe" {
				return
			}
			for name := range schema.Properties {
				require.Contains(t, value, name, "documented, but never there")
			}
			value["drift"] = true
			require.Error(t, schema.VisitJSON(value, openapi3.EnableJSONSchema2020()))
		})
	}
}

// The library checks the examples of bodies, not those of schemas.
func TestExamplesOfSchemas(t *testing.T) {
	t.Parallel()
	document, err := apitest.Load()
	require.NoError(t, err)
	for name, schema := range document.Components.Schemas {
		for _, example := range schema.Value.Examples {
			require.NoError(t, schema.Value.VisitJSON(example, openapi3.EnableJSONSchema2020()), name)
		}
	}
}

func TestVocabularies(t *testing.T) {
	t.Parallel()
	document, err := apitest.Load()
	require.NoError(t, err)
	schemas := document.Components.Schemas
	statuses := make([]any, 0)
	for _, status := range deliveries.Statuses() {
		statuses = append(statuses, string(status))
	}
	require.ElementsMatch(t, statuses, schemas["Status"].Value.Enum)
	require.ElementsMatch(t, []any{
		activities.OutcomeDelivered, activities.OutcomeSending, activities.OutcomeInterrupted, activities.FailureUnavailable, activities.FailureRateLimited,
		activities.FailureRejected, activities.FailureRedirected, activities.FailureAddressForbidden, activities.FailureDestinationUnknown,
	}, schemas["Attempt"].Value.Properties["outcome"].Value.Enum)
	require.ElementsMatch(t, []any{workflows.ReasonEvent, workflows.ReasonRedelivery, workflows.ReasonTest, workflows.ReasonNotice},
		schemas["Run"].Value.Properties["reason"].Value.Enum)
}

func TestHeadersOfDeliveries(t *testing.T) {
	t.Parallel()
	document, err := apitest.Load()
	require.NoError(t, err)
	at, body := time.Unix(1735689600, 0), []byte(`{}`)
	tests := []struct{ give, name string }{
		{gitbook.Sign(at, body, "new", "old"), gitbook.SignatureHeader},
		{gitbook.SignStandard("evt_1", at, body, "new", "old"), gitbook.WebhookSignatureHeader},
		{"1735689600", gitbook.WebhookTimestampHeader},
		{"evt_1", gitbook.WebhookIDHeader},
	}
	for _, tt := range tests {
		for name, item := range document.Webhooks {
			parameter := item.Post.Parameters.GetByInAndName(openapi3.ParameterInHeader, tt.name)
			require.NotNil(t, parameter, "%s of %s", tt.name, name)
			require.NoError(t, parameter.Schema.Value.VisitJSON(tt.give, openapi3.EnableJSONSchema2020()), tt.name)
		}
	}
}
