package app

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestTracesAreAskedForByOpenTelemetrysVariables(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		give map[string]string
		want bool
	}{
		{nil, false},
		{map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, true},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, true},
		{map[string]string{"OTEL_TRACES_EXPORTER": "otlp"}, true},
		{map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, false},
		{map[string]string{"OTEL_SDK_DISABLED": "TRUE", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, false},
		{map[string]string{"OTEL_SERVICE_NAME": "courier"}, false},
	} {
		require.Equal(t, tt.want, tracesWanted(func(name string) string { return tt.give[name] }), tt.give)
	}
}

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

// A request from outside and the one that it leads to are of one trace, which the destination can go
// on with. What is secret in a URL, and others' baggage, stays where it is.
func TestRequestsAreJoinedInOneTrace(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	traced := newTracesTo(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans)))
	var got http.Header
	destination := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(destination.Close)
	way := traced.outgoing(http.DefaultTransport)
	ctx := t.Context()
	handler := traced.incoming(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx = context.WithoutCancel(r.Context())
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1?token=geheim", http.NoBody)
	r.Header.Set("Traceparent", parent)
	r.Header.Set("Baggage", "user=geheim")
	r.Header.Set("Authorization", "Bearer geheim")
	handler.ServeHTTP(httptest.NewRecorder(), r)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, destination.URL+"/geheim?key=geheim", http.NoBody)
	require.NoError(t, err)
	response, err := way.RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Empty(t, request.Header, "a request is not changed")

	all := spans.GetSpans()
	require.Len(t, all, 2)
	in, out := all[0], all[1]
	require.Equal(t, "POST /v1", in.Name)
	require.Equal(t, parent[3:35], in.SpanContext.TraceID().String())
	require.Equal(t, parent[36:52], in.Parent.SpanID().String())
	require.Equal(t, in.SpanContext.SpanID(), out.Parent.SpanID())
	require.Equal(t, fmt.Sprintf("00-%s-%s-01", parent[3:35], out.SpanContext.SpanID()), got.Get("Traceparent"))
	require.Empty(t, got.Get("Baggage"))
	require.NotContains(t, fmt.Sprintf("%+v", all), "geheim")
}

func TestOutgoingRequestWithoutReply(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	way := newTracesTo(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))).outgoing(http.DefaultTransport)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:1/geheim", http.NoBody)
	require.NoError(t, err)
	response, err := way.RoundTrip(request) //nolint:bodyclose // There is none.
	require.Nil(t, response)
	require.Error(t, err)
	require.Equal(t, "no reply", spans.GetSpans()[0].Status.Description)
}

func TestProbesAreNoSpans(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewInMemoryExporter()
	handler := newTracesTo(sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))).incoming(http.NotFoundHandler())
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	}
	require.Empty(t, spans.GetSpans())
	handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/api/deliveries/x/evt_1", http.NoBody))
	require.Equal(t, "GET /api", spans.GetSpans()[0].Name)
}

// Without traces nothing is put around anything.
func TestNoTraces(t *testing.T) {
	t.Parallel()
	off := new(traces)
	require.Same(t, http.DefaultTransport, off.outgoing(http.DefaultTransport))
	interceptors, err := off.interceptors()
	require.NoError(t, err)
	require.Empty(t, interceptors)
}
