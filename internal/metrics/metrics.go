// Package metrics counts what a program does, in OpenTelemetry's terms, and shows it in
// Prometheus's text. docs/metrics.md lists every metric.
//
// Labels have few values: a destination is one of the configuration's, or "installation" for the
// webhook of any installation; an event type is one that is known, or "other".
package metrics

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/attribute"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdk "go.opentelemetry.io/otel/sdk/metric"
)

// scope is the name of the metrics' meter.
const scope = "courier"

// seconds are the buckets of all durations: from those of a fast request to those of a long
// schedule.
var seconds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 6 * 3600, 24 * 3600}

// Options say what the labels may be.
type Options struct {
	// EventTypes are the types that are known by name.
	EventTypes []string
	// InstallationPrefix begins the name of a destination that is an installation's own webhook.
	InstallationPrefix string
}

// Metrics are the metrics of one program.
type Metrics struct {
	options  Options
	registry *prometheus.Registry
	meter    metric.Meter

	events          metric.Int64Counter
	attempts        metric.Int64Counter
	attemptDuration metric.Float64Histogram
}

// New makes the metrics. It does no I/O.
func New(o Options) (*Metrics, error) {
	registry := prometheus.NewRegistry()
	if err := registry.Register(collectors.NewGoCollector()); err != nil {
		return nil, err
	}
	if err := registry.Register(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})); err != nil {
		return nil, err
	}
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	durations := sdk.NewView(sdk.Instrument{Kind: sdk.InstrumentKindHistogram, Unit: "s"},
		sdk.Stream{Aggregation: sdk.AggregationExplicitBucketHistogram{Boundaries: seconds}})
	m := &Metrics{
		options: o, registry: registry,
		meter: sdk.NewMeterProvider(sdk.WithReader(reader), sdk.WithView(durations)).Meter(scope),
	}
	if m.events, err = m.meter.Int64Counter("courier.events", metric.WithDescription("Requests that brought an event in, by the event's type and the answer's status.")); err != nil {
		return nil, err
	}
	if m.attempts, err = m.meter.Int64Counter("courier.attempts", metric.WithDescription("Attempts by destination, outcome and class of the status, which is none without a reply.")); err != nil {
		return nil, err
	}
	m.attemptDuration, err = m.meter.Float64Histogram("courier.attempt.duration", metric.WithUnit("s"), metric.WithDescription("How long attempts took."))
	return m, err
}

// Meter is for others' metrics, such as those of Temporal's SDK.
func (m *Metrics) Meter() metric.Meter { return m.meter }

// Handler serves the metrics in Prometheus's text format.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// Event counts a request that brought an event in; the type is empty when none could be read.
func (m *Metrics) Event(eventType string, status int) {
	switch {
	case eventType == "":
		eventType = "none"
	case !slices.Contains(m.options.EventTypes, eventType):
		eventType = "other"
	}
	m.events.Add(context.Background(), 1, metric.WithAttributes(attribute.String("type", eventType), attribute.String("answer", strconv.Itoa(status))))
}

// Attempt counts a request to a destination; the status is 0 when there was no reply.
func (m *Metrics) Attempt(destination, outcome string, status int, took time.Duration) {
	class := "none"
	if status > 0 {
		class = strconv.Itoa(status/100) + "xx"
	}
	to := attribute.String("destination", m.Destination(destination))
	m.attempts.Add(context.Background(), 1, metric.WithAttributes(to, attribute.String("outcome", outcome), attribute.String("status_class", class)))
	m.attemptDuration.Record(context.Background(), took.Seconds(), metric.WithAttributes(to))
}

// Destination is the label of a destination.
func (m *Metrics) Destination(name string) string {
	if strings.HasPrefix(name, m.options.InstallationPrefix) {
		return strings.TrimSuffix(m.options.InstallationPrefix, ".")
	}
	return name
}

// Value is a value of a gauge and its labels.
type Value struct {
	Value  float64
	Labels map[string]string
}

// Gauge has read called whenever the metrics are shown. It must return at once, or when its context
// is done. Several values with the same labels are added up.
func (m *Metrics) Gauge(name, unit, description string, read func(context.Context) []Value) error {
	_, err := m.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(description),
		metric.WithFloat64Callback(func(ctx context.Context, o metric.Float64Observer) error {
			sums := make(map[attribute.Set]float64)
			for _, v := range read(ctx) {
				labels := make([]attribute.KeyValue, 0, len(v.Labels))
				for name, value := range v.Labels {
					labels = append(labels, attribute.String(name, value))
				}
				sums[attribute.NewSet(labels...)] += v.Value
			}
			for labels, sum := range sums {
				o.Observe(sum, metric.WithAttributeSet(labels))
			}
			return nil
		}))
	return err
}
