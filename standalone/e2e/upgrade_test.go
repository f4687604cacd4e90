package e2e_test

import (
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// lastRelease is the commit of 0.2.0.
const lastRelease = "2e49687"

// buildLastRelease builds the starter and the worker of the last release from the repository's own
// history, and returns the folder in which they lie.
func buildLastRelease(t *testing.T) string {
	t.Helper()
	if shallow, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--is-shallow-repository").Output(); err != nil || strings.TrimSpace(string(shallow)) == "true" {
		t.Skip("the last release is not in this copy of the repository: clone it whole")
	}
	source := t.TempDir()
	archive := exec.CommandContext(t.Context(), "git", "-C", "../..", "archive", lastRelease)
	unpack := exec.CommandContext(t.Context(), "tar", "-x", "-C", source)
	pipe, err := archive.StdoutPipe()
	require.NoError(t, err)
	unpack.Stdin = pipe
	require.NoError(t, unpack.Start())
	require.NoError(t, archive.Run())
	require.NoError(t, unpack.Wait())

	folder := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "-C", source, "build", "-o", folder+string(filepath.Separator), "./starter", "./worker")
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
	return folder
}

// upgraded is a Temporal server on which programs of the last release and of this one take turns.
type upgraded struct {
	release   string // the folder of the last release's programs
	variables []string
	file      string
}

func (u upgraded) old(t *testing.T, name string) *program {
	t.Helper()
	return launch(t, filepath.Join(u.release, name), u.variables, "--config", u.file)
}

func (u upgraded) new(t *testing.T, name string) *program {
	t.Helper()
	return launch(t, name, u.variables, "--config", u.file)
}

func drained(t *testing.T, p *program) {
	t.Helper()
	p.signal(t, syscall.SIGTERM)
	require.Zero(t, p.exitCode(t, time.Minute))
}

// cutByOld counts the attempts that a worker of the last release was cut off from when it stopped,
// so that nobody knows whether they were made. Its identity has no random part.
func cutByOld(log []attempt) (n int) {
	for _, a := range log {
		if a.Outcome == "interrupted" && !strings.Contains(a.Worker, "#") {
			n++
		}
	}
	return n
}

// Workers and starters of the last release and of this one run side by side while events come in.
// What the old ones began the new ones finish. What the new ones began waits while only an old
// worker is left, which neither sends nor ends it, and is finished when a new one is back.
func TestUpgradeAndBack(t *testing.T) {
	t.Parallel()
	healthy, failing, held := hooktest.New(t), hooktest.New(t), hooktest.New(t)
	failing.Script(slices.Repeat([]hooktest.Answer{{Status: http.StatusServiceUnavailable}}, 1000)...)
	address := unusedAddress(t)
	startEngine(t, address)
	u := upgraded{
		release:   buildLastRelease(t),
		variables: []string{"TEMPORAL_ADDRESS=" + address},
		file: writeConfiguration(t, separateConfiguration(
			destination("healthy", healthy.URL),
			destination("limited", healthy.URL, "rate_limit: 50"),
			destination("failing", failing.URL, retries(time.Second, time.Hour)),
			destination("held", held.URL),
		)),
	}
	waiting := func(s starter, events ...string) {
		for _, id := range events {
			s.await(t, "failing", id, "waiting for its second retry", func(d delivery) bool {
				return d.Status == "retrying" && d.AttemptCount == 2 && d.Runs[0].NextAttemptAt != nil
			})
			s.awaitStatus(t, "held", id, "held")
		}
	}

	oldWorker, oldStarter := u.old(t, "worker"), u.old(t, "starter")
	before := listening(t, oldStarter)
	before.awaitReady(t)
	require.Equal(t, http.StatusAccepted, before.do(t, http.MethodPost, "/api/destinations/held/pause", nil, nil).status)
	before.accept(t, event("space_content_updated", "evt_old"), noEnvironment)
	waiting(before, "evt_old")

	// A new starter beside an old worker takes no events, and says why.
	newStarter := u.new(t, "starter")
	after := listening(t, newStarter)
	refused := waitFor(t, "the starter to see the old worker", func() (reply, bool) {
		answer := after.do(t, http.MethodGet, "/readyz", nil, nil)
		return answer, strings.Contains(answer.body, "older release")
	})
	require.Contains(t, refused.body, "upgrade the workers first")
	require.Equal(t, http.StatusServiceUnavailable, after.post(t, event("space_content_updated", "evt_refused"), noEnvironment).status)

	// Both workers share the work of the old starter, until the old one is gone.
	newWorker := u.new(t, "worker")
	newWorker.find(t, &newWorker.stderr, `(worker started)`)
	mixed := before.acceptMany(t, "space_content_updated", "evt_mixed", 40)
	drained(t, oldWorker)
	mixed = append(mixed, before.acceptMany(t, "space_content_updated", "evt_later", 10)...)
	waiting(before, mixed...)
	for _, id := range mixed {
		before.awaitStatus(t, "healthy", id, "delivered")
		before.awaitStatus(t, "limited", id, "delivered")
	}

	// The new starter is ready once Temporal has forgotten the old worker.
	waitWithin(t, 3*time.Minute, "the new starter to be ready", func() (reply, bool) {
		answer := after.do(t, http.MethodGet, "/readyz", nil, nil)
		return answer, answer.status == http.StatusOK
	})
	drained(t, oldStarter)
	after.accept(t, event("space_content_updated", "evt_new"), noEnvironment)
	waiting(after, "evt_new")

	// And back: an old worker alone is asked to go on with what it can't read.
	drained(t, newWorker)
	oldWorker = u.old(t, "worker")
	failing.Script()
	after.act(t, "failing", "evt_new", "retry")
	require.Equal(t, http.StatusAccepted, after.do(t, http.MethodPost, "/api/destinations/held/resume", nil, nil).status)
	after.awaitStatus(t, "held", "evt_old", "delivered")
	oldWorker.find(t, &oldWorker.stderr, `(TMPRL1100.*evt_new@held|evt_new@held.*TMPRL1100)`)
	temporal := dial(t, address)
	waitFor(t, "the old worker to refuse the input", func() (string, bool) {
		described, err := temporal.DescribeWorkflowExecution(t.Context(), "evt_new@failing", "")
		require.NoError(t, err)
		require.Len(t, described.GetPendingActivities(), 1)
		failure := described.GetPendingActivities()[0].GetLastFailure().GetMessage()
		return failure, strings.Contains(failure, "unable to decode")
	})
	drained(t, oldWorker)
	after.awaitStatus(t, "failing", "evt_new", "retrying")

	newWorker = u.new(t, "worker")
	// cut counts the attempts of each delivery that the old worker may not have made.
	cut := make(map[string]int)
	attempts := map[string]int{"healthy": 1, "limited": 1, "failing": 3, "held": 1}
	for _, id := range append([]string{"evt_old", "evt_new"}, mixed...) {
		after.do(t, http.MethodPost, deliveryPath("failing", id)+"/retry", nil, nil)
		for name, number := range attempts {
			shown := after.awaitStatus(t, name, id, "delivered")
			require.Len(t, shown.Runs, 1)
			log := shown.Runs[0].Attempts
			cut[name+" "+id] = cutByOld(log)
			if name != "failing" { // whose schedule is used up in any case
				number += cutByOld(log)
			}
			require.Len(t, log, number, name+" "+id)
			require.Equal(t, number, shown.AttemptCount)
		}
	}
	for _, of := range []struct {
		receiver     *hooktest.Receiver
		destinations []string
		number       int
	}{
		{healthy, []string{"healthy", "limited"}, 2}, {failing, []string{"failing"}, 3}, {held, []string{"held"}, 1},
	} {
		requests := make(map[string]int)
		for _, request := range of.receiver.Requests() {
			require.Contains(t, string(request.Body), `"eventId":"`+request.Header.Get("Webhook-Id")+`"`)
			requests[request.Header.Get("Webhook-Id")]++
		}
		require.Len(t, requests, 2+len(mixed))
		for id, n := range requests {
			uncertain := 0
			for _, name := range of.destinations {
				uncertain += cut[name+" "+id]
			}
			require.InDelta(t, of.number, n, float64(uncertain), "%s to %v", id, of.destinations)
		}
	}
	drained(t, newWorker)
	drained(t, newStarter)
}
