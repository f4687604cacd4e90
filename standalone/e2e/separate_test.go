package e2e_test

import (
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"

	"github.com/gitbook-courier/courier/internal/hooktest"
	"github.com/gitbook-courier/courier/standalone/engine"
)

// separateConfiguration is shared by a starter and a worker, which also share the key that seals.
func separateConfiguration(destinations ...string) string {
	return "sealing_keys: [MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=]\n" + configuration(destinations...)
}

// startEngine is a Temporal server in this process, as a server elsewhere would be.
func startEngine(t *testing.T, address string) {
	t.Helper()
	e, err := engine.Start(t.Context(), engine.Options{DataDir: t.TempDir(), TemporalListen: address, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Stop()) })
}

// awaitReady waits until events can be stored.
func (s starter) awaitReady(t *testing.T) {
	t.Helper()
	waitFor(t, "/readyz to say yes", func() (reply, bool) {
		answer := s.do(t, http.MethodGet, "/readyz", nil, nil)
		return answer, answer.status == http.StatusOK
	})
}

func TestStarterAndWorkerWaitForTemporal(t *testing.T) {
	t.Parallel()
	receiver, installation := hooktest.New(t), hooktest.New(t)
	file := writeConfiguration(t, separateConfiguration(destination("search-index", receiver.URL)))
	address := unusedAddress(t)
	variables := []string{"TEMPORAL_ADDRESS=" + address, "COURIER_CONFIG=" + file}
	worker := launch(t, "worker", variables)
	process := launch(t, "starter", variables)
	starter := listening(t, process)
	worker.find(t, &worker.stderr, `(waiting for Temporal.*`+address+`)`)
	process.find(t, &process.stderr, `(waiting for Temporal.*`+address+`)`)

	require.Equal(t, http.StatusOK, starter.do(t, http.MethodGet, "/healthz", nil, nil).status)
	require.Equal(t, http.StatusServiceUnavailable, starter.do(t, http.MethodGet, "/readyz", nil, nil).status)
	for _, p := range []*program{worker, process} {
		require.NotContains(t, p.stderr.String(), "level=ERROR", "a probe that comes too early is no error")
	}
	environment := environment(installation.URL, installationSecret, "token")
	for _, answer := range []reply{
		starter.post(t, event("space_content_updated", "evt_1"), environment),
		starter.relay(t, event("space_content_updated", "evt_1")),
	} {
		require.Equal(t, http.StatusServiceUnavailable, answer.status)
		require.Equal(t, "5", answer.header.Get("Retry-After"))
		require.Equal(t, `{"error":"the event could not be stored; send it again"}`, answer.body)
	}

	startEngine(t, address)
	starter.awaitReady(t)
	starter.accept(t, event("space_content_updated", "evt_1"), environment)
	for name, to := range map[string]*hooktest.Receiver{"search-index": receiver, "installation.inst_def456": installation} {
		starter.awaitStatus(t, name, "evt_1", "delivered")
		require.Len(t, to.Requests(), 1)
	}
	for _, p := range []*program{worker, process} {
		p.signal(t, syscall.SIGTERM)
		require.Zero(t, p.exitCode(t, stopTime))
		require.Len(t, strings.Split(p.stderr.String(), "waiting for Temporal"), 2, "it is said once in a while")
	}
}

func TestStoppedWorkerDrains(t *testing.T) {
	t.Parallel()
	slow := newSlow(t)
	file := writeConfiguration(t, separateConfiguration(destination("search-index", slow.URL)))
	address := unusedAddress(t)
	startEngine(t, address)
	variables := []string{"TEMPORAL_ADDRESS=" + address}
	worker := launch(t, "worker", variables, "--config", file)
	starter := listening(t, launch(t, "starter", variables, "--config", file))
	starter.awaitReady(t)
	starter.accept(t, event("space_content_updated", "evt_1"), noEnvironment)
	slow.awaitRequest(t)
	worker.signal(t, syscall.SIGTERM)
	require.Zero(t, worker.exitCode(t, stopTime))

	// No worker is left, so what is recorded now is what the stopped one reported.
	events := readHistory(t, dial(t, address), "evt_1@search-index", "").GetEvents()
	require.True(t, slices.ContainsFunc(events, func(recorded *historypb.HistoryEvent) bool {
		return recorded.GetWorkflowExecutionCompletedEventAttributes() != nil
	}), "the delivery is recorded")
	launch(t, "worker", variables, "--config", file)
	shown := starter.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	require.EqualValues(t, 1, slow.answered.Load())
	require.Zero(t, slow.cut.Load())
	require.Contains(t, shown.Runs[0].Attempts[0].Worker, pid(worker))
}

// A starter with a worker of its own needs no other, and its deliveries take the shortest way there
// is.
func TestStarterWithAnEmbeddedWorker(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	address := unusedAddress(t)
	startEngine(t, address)
	file := writeConfiguration(t, "worker: embedded\n"+separateConfiguration(destination("search-index", receiver.URL)))
	process := launch(t, "starter", []string{"TEMPORAL_ADDRESS=" + address}, "--config", file)
	starter := listening(t, process)
	starter.awaitReady(t)
	process.find(t, &process.stderr, `(worker started)`)
	starter.accept(t, event("space_content_updated", "evt_1"), noEnvironment)
	shown := starter.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Contains(t, shown.Runs[0].Attempts[0].Worker, pid(process))
	require.Len(t, readHistory(t, dial(t, address), "evt_1@search-index", "").GetEvents(), 6)
	process.signal(t, syscall.SIGTERM)
	require.Zero(t, process.exitCode(t, stopTime))
}

// pid is how a worker's identity begins.
func pid(p *program) string { return strconv.Itoa(p.cmd.Process.Pid) + "@" }
