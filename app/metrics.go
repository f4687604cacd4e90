package app

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/contrib/opentelemetry"
	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/metrics"
	"github.com/gitbook-courier/courier/internal/version"
	"github.com/gitbook-courier/courier/starter/ingress"
	"github.com/gitbook-courier/courier/starter/server"
)

func newMetrics(c config.Config) (*metrics.Metrics, error) {
	m, err := metrics.New(metrics.Options{
		EventTypes:         slices.Concat(gitbook.EventTypes(), config.NoticeTypes()),
		InstallationPrefix: activities.InstallationPrefix,
	})
	if err != nil {
		return nil, err
	}
	v := version.Of()
	labels := map[string]string{"version": v.Version, "commit": v.Commit, "temporal": v.Temporal}
	return m, m.Gauge("courier.build.info", "", "Always 1; the labels say which build this is.", always(metrics.Value{Value: 1, Labels: labels}))
}

func always(v metrics.Value) func(context.Context) []metrics.Value {
	return func(context.Context) []metrics.Value { return []metrics.Value{v} }
}

// sdkMetrics takes the metrics of Temporal's SDK, and those that workflows count with it.
func sdkMetrics(m *metrics.Metrics, log *slog.Logger) opentelemetry.MetricsHandler {
	return opentelemetry.NewMetricsHandler(opentelemetry.MetricsHandlerOptions{
		Meter: m.Meter(), UseMonotonicCounters: true,
		OnError: func(err error) { log.Warn("a metric of Temporal's SDK", "error", err) },
	})
}

// measureStarter counts events, and shows the state of the door and of the backlog.
var measureStarter = fx.Invoke(func(m *metrics.Metrics, in *ingress.Ingress, s *server.Server, h *deliveries.Holds, now func() time.Time, log *slog.Logger) error {
	in.Count(m.Event)
	admission := func(value func(server.Admission) float64) func(context.Context) []metrics.Value {
		return func(context.Context) (all []metrics.Value) {
			for _, a := range s.Admissions() {
				all = append(all, metrics.Value{Value: value(a), Labels: map[string]string{"gate": a.Gate}})
			}
			return all
		}
	}
	backlog := newBacklogs(h.Backlogs, now, log)
	for _, gauge := range []struct {
		name, unit, description string
		read                    func(context.Context) []metrics.Value
	}{
		{"courier.admission.in_use", "", "Requests that are served.", admission(func(a server.Admission) float64 { return float64(a.InUse) })},
		{"courier.admission.slots", "", "Requests that may be served at once now.", admission(func(a server.Admission) float64 { return float64(a.Slots) })},
		{"courier.admission.queued", "", "Requests that wait for a slot.", admission(func(a server.Admission) float64 { return float64(a.Queued) })},
		{"courier.admission.refused", "", "Requests that got no slot, since the start.", admission(func(a server.Admission) float64 { return float64(a.Refused) })},
		{"courier.certificate.expiry.timestamp", "s", "When the certificate that is served ends, in Unix time.", func(context.Context) []metrics.Value {
			end, ok := s.CertificateExpiry()
			if !ok {
				return nil
			}
			return []metrics.Value{{Value: float64(end.Unix())}}
		}},
		{"courier.deliveries.waiting", "", "Deliveries that are not over.", backlog.gauge(func(b deliveries.Backlog) float64 { return float64(b.Waiting) })},
		{"courier.deliveries.held", "", "Deliveries that are held.", backlog.gauge(func(b deliveries.Backlog) float64 { return float64(b.Held) })},
		{"courier.deliveries.oldest.age", "s", "How long the oldest delivery that is not over has been waiting.", backlog.gauge(func(b deliveries.Backlog) float64 { return b.Oldest.Seconds() })},
		{"courier.destination.held", "", "1 for a destination that is paused or held for failing.", backlog.holds},
	} {
		if err := m.Gauge(gauge.name, gauge.unit, gauge.description, gauge.read); err != nil {
			return err
		}
	}
	return nil
})

// measureWorker shows which express lanes are open.
var measureWorker = fx.Invoke(func(m *metrics.Metrics, a *activities.Activities) error {
	return m.Gauge("courier.express.open", "", "1 while the first attempt to a destination is made in the first workflow task.", func(context.Context) (all []metrics.Value) {
		for name, open := range a.ExpressLanes() {
			value := metrics.Value{Labels: map[string]string{"destination": name}}
			if open {
				value.Value = 1
			}
			all = append(all, value)
		}
		return all
	})
})

const (
	// backlogTTL is for how long backlogs are relied on, since each costs some queries.
	backlogTTL = 30 * time.Second
	// backlogTimeout bounds the queries of one look.
	backlogTimeout = 5 * time.Second
)

// backlogs are looked at when metrics are shown, at most once in backlogTTL. While Temporal does not
// answer there are none.
type backlogs struct {
	read func(context.Context) ([]deliveries.Backlog, error)
	now  func() time.Time
	log  *slog.Logger

	mu     sync.Mutex
	looked time.Time
	last   []deliveries.Backlog
}

func newBacklogs(read func(context.Context) ([]deliveries.Backlog, error), now func() time.Time, log *slog.Logger) *backlogs {
	return &backlogs{read: read, now: now, log: log}
}

func (b *backlogs) all(ctx context.Context) []deliveries.Backlog {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if !b.looked.IsZero() && now.Sub(b.looked) < backlogTTL {
		return b.last
	}
	ctx, cancel := context.WithTimeout(ctx, backlogTimeout)
	defer cancel()
	var err error
	if b.last, err = b.read(ctx); err != nil {
		b.last = nil
		b.log.Debug("no backlogs for the metrics", "error", err)
	}
	b.looked = now
	return b.last
}

func (b *backlogs) gauge(value func(deliveries.Backlog) float64) func(context.Context) []metrics.Value {
	return func(ctx context.Context) (all []metrics.Value) {
		for _, of := range b.all(ctx) {
			all = append(all, metrics.Value{Value: value(of), Labels: map[string]string{"destination": of.Destination}})
		}
		return all
	}
}

func (b *backlogs) holds(ctx context.Context) (all []metrics.Value) {
	for _, of := range b.all(ctx) {
		if of.Hold != "" {
			all = append(all, metrics.Value{Value: 1, Labels: map[string]string{"destination": of.Destination, "reason": of.Hold}})
		}
	}
	return all
}
