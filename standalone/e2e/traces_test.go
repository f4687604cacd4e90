package e2e_test

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// collector is a collector of OpenTelemetry's.
type collector struct {
	*httptest.Server

	mu    sync.Mutex
	spans []*tracepb.Span
}

func newCollector(t *testing.T) *collector {
	t.Helper()
	c := new(collector)
	c.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var request collectorpb.ExportTraceServiceRequest
		if r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &request) != nil {
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, resource := range request.GetResourceSpans() {
			for _, scope := range resource.GetScopeSpans() {
				c.spans = append(c.spans, scope.GetSpans()...)
			}
		}
	}))
	t.Cleanup(c.Close)
	return c
}

// of are the spans of a trace, by name.
func (c *collector) of(trace string) map[string]*tracepb.Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	spans := make(map[string]*tracepb.Span)
	for _, span := range c.spans {
		if hex.EncodeToString(span.GetTraceId()) == trace {
			spans[span.GetName()] = span
		}
	}
	return spans
}

// An event that comes with a trace goes through Temporal to its destination in that trace, also
// when it is retried. No span has a secret.
func TestTraces(t *testing.T) {
	t.Parallel()
	const trace, secretPath = "0af7651916cd43dd8448eb211c80319c", "/hook?key=streng-geheim"
	collect := newCollector(t)
	receiver := hooktest.New(t, hooktest.Answer{Status: http.StatusServiceUnavailable})
	yaml := configuration(destination("search", receiver.URL+secretPath, quick()))
	p := launch(t, "standalone", []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collect.URL, "OTEL_BSP_SCHEDULE_DELAY=100"}, arguments(t, t.TempDir(), yaml)...)
	courier := started(t, p)
	contentType, form := runtimeForm(t, event("site_view", "evt_1"), noEnvironment, nil)
	header := http.Header{"Content-Type": {contentType}, "Traceparent": {"00-" + trace + "-b7ad6b7169203331-01"}}
	answer := post(t, string(courier.starter)+"/v1", "", header, form)
	require.Equal(t, http.StatusOK, answer.status, answer.body)
	courier.awaitStatus(t, "search", "evt_1", "delivered")
	for range 2 {
		sent := receiver.Next(t, t.Context()).Header.Get("Traceparent")
		require.Equal(t, trace, strings.Split(sent, "-")[1], "the destination can go on with the trace")
	}
	spans := waitFor(t, "spans", func() (map[string]*tracepb.Span, bool) {
		spans := collect.of(trace)
		_, started := spans["StartWorkflow:Delivery"]
		_, sent := spans["RunActivity:SendWebhook"]
		_, posted := spans["POST"]
		return spans, started && sent && posted && spans["POST /v1"] != nil
	})
	require.Equal(t, spans["POST /v1"].GetSpanId(), spans["StartWorkflow:Delivery"].GetParentSpanId())
	collect.mu.Lock()
	defer collect.mu.Unlock()
	for _, span := range collect.spans {
		require.NotContains(t, span.String(), "geheim")
		require.NotContains(t, span.String(), hooktest.Secret)
	}
}
