package app

import (
	"context"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/metrics"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/workflows"
)

// Worker runs the workflows and their activities.
var Worker = fx.Module("worker",
	fx.Provide(fx.Private, newJournal, newActivities, newTuner, newRegistrations, deliveries.NewActivities, newRunner),
	fx.Provide(fx.Annotate(reloadWorker, fx.ResultTags(`group:"reload"`))),
	measureWorker,
	fx.Invoke(func(lc fx.Lifecycle, r *runner) {
		lc.Append(fx.StartStopHook(r.start, r.stop))
	}),
)

func newJournal(c client.Client, namespace *deliveries.Namespace, payloads *codec.Codec) activities.Journal {
	return activities.NewTemporalJournal(c, namespace.Name, payloads.DataConverter(), payloads.FailureConverter())
}

func newActivities(o Options, keys *seal.Keyring, temporal client.Client, journal activities.Journal, deliveries *deliveries.Store, holds *deliveries.Holds, overlaps *deliveries.Overlaps, id identity, m *metrics.Metrics, t *traces) *activities.Activities {
	return activities.New(activities.Options{
		Settings:    settingsOf(o.Config),
		Keys:        keys,
		Signaler:    temporal,
		Journal:     journal,
		Holds:       holds,
		Overlaps:    overlaps,
		Runs:        deliveries,
		EgressProxy: o.Config.EgressProxy.Reveal(),
		Log:         o.Logger,
		Worker:      string(id),
		Wrap:        t.outgoing,
		Attempted: func(destination string, attempt activities.Attempt) {
			m.Attempt(destination, attempt.Outcome, attempt.StatusCode, time.Duration(attempt.DurationMs)*time.Millisecond)
		},
	})
}

// settingsOf are where webhooks go by a configuration.
func settingsOf(c config.Config) activities.Settings {
	destinations := make(map[string]activities.Target, len(c.Destinations))
	current := make(map[string]string)
	for _, d := range c.Destinations {
		destinations[d.Name] = target(d)
		for _, former := range d.Formerly {
			current[former] = d.Name
		}
	}
	return activities.Settings{
		Destinations: destinations,
		Current:      current,
		Installations: func(id string) (allowPrivate, accepted bool) {
			installation, ok := c.Installation(id)
			return installation.AllowPrivate, ok
		},
	}
}

// reloadWorker gives the worker another configuration.
func reloadWorker(a *activities.Activities) func(config.Config) {
	return func(c config.Config) { a.Configure(settingsOf(c)) }
}

func target(d config.Destination) activities.Target {
	secrets := make([]string, len(d.Secrets))
	for i, secret := range d.Secrets {
		secrets[i] = secret.Reveal()
	}
	return activities.Target{
		URL:          d.URL.Reveal(),
		Secrets:      secrets,
		Headers:      d.Headers,
		Redact:       d.Redact,
		Limits:       activities.Limits{Concurrency: d.Concurrency, PerSecond: d.RateLimit},
		AllowPrivate: d.AllowPrivate,
	}
}

// registrations are the activities that a worker runs.
type registrations []interface{ Register(worker.ActivityRegistry) }

func newRegistrations(deliver *activities.Activities, operate *deliveries.Activities) registrations {
	return registrations{deliver, operate}
}

// maxCachedWorkflows bounds the workflows that the SDK keeps in memory, at some 30 KB each. One
// that waits for long is replayed instead.
const maxCachedWorkflows = 1000

// runner is the Temporal worker, which begins when Temporal is there.
type runner struct {
	worker   worker.Worker
	temporal *connection
	holds    *deliveries.Holds
	ready    func()
	log      *slog.Logger
	down     fx.Shutdowner

	cancel  context.CancelFunc
	done    chan struct{}
	running bool
}

func newRunner(o Options, c client.Client, temporal *connection, holds *deliveries.Holds, tasks registrations, tuner worker.WorkerTuner, down fx.Shutdowner) *runner {
	r := &runner{temporal: temporal, holds: holds, ready: o.Ready, log: o.Logger, down: down, done: make(chan struct{})}
	worker.SetStickyWorkflowCacheSize(maxCachedWorkflows)
	r.worker = worker.New(c, workflows.TaskQueue, worker.Options{
		WorkerStopTimeout: o.Config.WorkerStopTimeout(),
		// It says which workflow code a history is of. Nothing is routed by it.
		BuildID:      workflows.BuildID, //nolint:staticcheck // versioned deployments would need a server that has them enabled
		OnFatalError: func(err error) { r.fail(err) },
		// Heartbeats show how far a bulk job has come; half a minute, the default, would be long to
		// look at.
		MaxHeartbeatThrottleInterval: time.Second,
		// As many polls as there is work for: few when all starts are eager, many when a backlog is
		// drained.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		Tuner:                      tuner,
	})
	workflows.Register(r.worker)
	for _, task := range tasks {
		task.Register(r.worker)
	}
	return r
}

func (r *runner) start(context.Context) error {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.done)
		select {
		case <-ctx.Done():
			return
		case <-r.temporal.ready:
		}
		if err := r.worker.Start(); err != nil {
			r.fail(err)
			return
		}
		r.running = true
		r.log.Info("worker started", "task_queue", workflows.TaskQueue)
		if r.ready != nil {
			r.ready()
		}
		r.holds.Run(ctx)
	}()
	return nil
}

func (r *runner) stop(context.Context) error {
	r.cancel()
	<-r.done
	if r.running {
		r.worker.Stop()
	}
	return nil
}

func (r *runner) fail(err error) {
	r.log.Error("worker stopped", "error", err)
	_ = r.down.Shutdown(fx.ExitCode(1))
}
