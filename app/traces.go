package app

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"
	"go.opentelemetry.io/otel/trace"
	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.temporal.io/sdk/interceptor"
	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/internal/version"
)

// traces are the spans of a program: its requests, Temporal's, and those to destinations. All parts
// are nil, and cost nothing, unless OpenTelemetry's own variables ask for them.
type traces struct {
	provider   *sdktrace.TracerProvider
	tracer     trace.Tracer
	propagator propagation.TextMapPropagator
}

// tracesWanted is whether OpenTelemetry's variables ask for traces: an address to send them to, or
// the exporter by name, and nothing that turns them off.
func tracesWanted(getenv func(string) string) bool {
	exporter := getenv("OTEL_TRACES_EXPORTER")
	if strings.EqualFold(getenv("OTEL_SDK_DISABLED"), "true") || exporter == "none" {
		return false
	}
	return exporter == "otlp" || getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
}

// newTraces makes the spans of the program, which are sent as the OTEL_* variables say, by HTTP or,
// when they say so, by gRPC. It opens no connection.
func newTraces(o Options, lc fx.Lifecycle) (*traces, error) {
	if !tracesWanted(os.Getenv) {
		return &traces{}, nil
	}
	var client otlptrace.Client
	if protocol(os.Getenv) == "grpc" {
		client = otlptracegrpc.NewClient()
	} else {
		client = otlptracehttp.NewClient()
	}
	exporter := otlptrace.NewUnstarted(client)
	// The variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
	about, err := resource.Merge(
		resource.NewSchemaless(semconv.ServiceName(o.Name), semconv.ServiceVersion(version.Number)),
		resource.Environment(),
	)
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	// Errors of the exporter are no errors of the program, and must not look like its output.
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { o.Logger.Warn("traces cannot be sent", "error", err) }))
	t := newTracesTo(sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about)))
	lc.Append(fx.Hook{
		OnStart: func(ctx context.Context) error { return exporter.Start(ctx) },
		OnStop: func(ctx context.Context) error {
			if err := t.provider.Shutdown(ctx); err != nil {
				o.Logger.Log(ctx, slog.LevelWarn, "some traces are lost", "error", err)
			}
			return nil
		},
	})
	return t, nil
}

func newTracesTo(provider *sdktrace.TracerProvider) *traces {
	return &traces{provider: provider, tracer: provider.Tracer("courier"), propagator: propagation.TraceContext{}}
}

func protocol(getenv func(string) string) string {
	if p := getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"); p != "" {
		return p
	}
	return getenv("OTEL_EXPORTER_OTLP_PROTOCOL")
}

// interceptors are those of the Temporal client: a workflow goes on with the trace of the request
// that began it. They add a header to what is stored, and no command.
func (t *traces) interceptors() ([]interceptor.ClientInterceptor, error) {
	if t.tracer == nil {
		return nil, nil
	}
	tracing, err := opentelemetry.NewTracingInterceptor(opentelemetry.TracerOptions{
		Tracer: t.tracer, TextMapPropagator: t.propagator,
		// Baggage is others' data, which would reach destinations.
		DisableBaggage: true,
		// What somebody else has put there is no reason to fail.
		AllowInvalidParentSpans: true,
	})
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	return []interceptor.ClientInterceptor{tracing}, nil
}

// incoming has every request that a handler serves be a span, in the caller's trace if it names
// one. Probes and metrics are none.
func (t *traces) incoming(next http.Handler) http.Handler {
	if t.tracer == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz", "/metrics":
			next.ServeHTTP(w, r)
			return
		}
		ctx := t.propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		ctx, span := t.tracer.Start(ctx, r.Method+" "+room(r.URL.Path), trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(semconv.HTTPRequestMethodKey.String(r.Method), semconv.URLPath(r.URL.Path)))
		defer span.End()
		status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(status, r.WithContext(ctx))
		span.SetAttributes(semconv.HTTPResponseStatusCode(status.status))
		if status.status >= http.StatusInternalServerError {
			span.SetStatus(codes.Error, "")
		}
	})
}

// room is the first part of a path, by which spans are named: few values, and no id of anything.
func room(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "v1", "webhooks", "api", "console", "codec":
		return "/" + first
	default:
		return "/…"
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements http.ResponseWriter.
func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// outgoing has every request to a destination be a span, and carry its trace in the header
// traceparent. Nothing of the URL but its host becomes an attribute: path and query can be secret.
func (t *traces) outgoing(next http.RoundTripper) http.RoundTripper {
	if t.tracer == nil {
		return next
	}
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		ctx, span := t.tracer.Start(r.Context(), r.Method, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			semconv.HTTPRequestMethodKey.String(r.Method), attribute.String(string(semconv.ServerAddressKey), r.URL.Hostname())))
		defer span.End()
		r = r.Clone(ctx)
		t.propagator.Inject(ctx, propagation.HeaderCarrier(r.Header))
		response, err := next.RoundTrip(r)
		if err != nil {
			span.SetStatus(codes.Error, "no reply") // its text may be a peer's
			return nil, err
		}
		span.SetAttributes(semconv.HTTPResponseStatusCode(response.StatusCode))
		if response.StatusCode >= http.StatusBadRequest {
			span.SetStatus(codes.Error, "")
		}
		return response, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
