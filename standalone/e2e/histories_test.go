package e2e_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/gitbook-courier/courier/internal/hooktest"
	"github.com/gitbook-courier/courier/workflows"
)

// TestHistoriesReplay makes histories with the real programs, one of every kind. With -update they
// become a release's in workflows/testdata, where the workflow code of later releases must replay
// them. TestBranchesReplay makes one of every branch.
func TestHistoriesReplay(t *testing.T) { //nolint:tparallel // The cases follow each other: they share a receiver's script.
	t.Parallel()
	receiver := hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(
		destination("search-index", receiver.URL, retries(time.Second, 2*time.Second, 4*time.Second)),
		destination("later", receiver.URL, events("later"), retries(time.Hour)),
	))
	deliver := func(t *testing.T, destination, eventType, id, status string) string {
		t.Helper()
		courier.accept(t, event(eventType, id), noEnvironment)
		courier.awaitStatus(t, destination, id, status)
		return workflows.DeliveryID(id, destination)
	}
	tests := []struct {
		name       string
		giveScript []hooktest.Answer
		give       func(t *testing.T) (workflowID string)
	}{
		{name: "delivered", give: func(t *testing.T) string {
			return deliver(t, "search-index", "site_view", "evt_delivered", "delivered")
		}},
		{name: "retried", giveScript: []hooktest.Answer{status(500), retryAfter("1")}, give: func(t *testing.T) string {
			return deliver(t, "search-index", "site_view", "evt_retried", "delivered")
		}},
		{name: "undelivered", giveScript: []hooktest.Answer{status(500), status(404)}, give: func(t *testing.T) string {
			return deliver(t, "search-index", "site_view", "evt_undelivered", "undelivered")
		}},
		{name: "cancelled", giveScript: []hooktest.Answer{status(500)}, give: func(t *testing.T) string {
			id := deliver(t, "later", "later", "evt_cancelled", "retrying")
			courier.awaitWait(t, "later", "evt_cancelled")
			courier.act(t, "later", "evt_cancelled", "cancel")
			courier.awaitStatus(t, "later", "evt_cancelled", "cancelled")
			return id
		}},
		{name: "redelivered", giveScript: []hooktest.Answer{status(404)}, give: func(t *testing.T) string {
			id := deliver(t, "search-index", "site_view", "evt_redelivered", "undelivered")
			courier.act(t, "search-index", "evt_redelivered", "redeliver")
			courier.awaitStatus(t, "search-index", "evt_redelivered", "delivered")
			return id
		}},
		{name: "held", give: func(t *testing.T) string {
			courier.command(t, http.MethodPost, "/api/destinations/search-index/pause", "")
			// For a second, a worker may still go by what it knew before the pause.
			tries := 0
			id := waitFor(t, "a held delivery", func() (string, bool) {
				tries++
				id := "evt_held_" + strconv.Itoa(tries)
				courier.accept(t, event("site_view", id), noEnvironment)
				shown := courier.await(t, "search-index", id, "held or delivered", func(d delivery) bool {
					return d.Status == "held" || d.Status == "delivered"
				})
				return id, shown.Status == "held"
			})
			courier.command(t, http.MethodPost, "/api/destinations/search-index/resume", "")
			courier.awaitStatus(t, "search-index", id, "delivered")
			return workflows.DeliveryID(id, "search-index")
		}},
		{name: "hold", give: func(t *testing.T) string { return courier.awaitOver(t, workflows.HoldID("search-index")) }},
		{name: "redelivery", give: func(t *testing.T) string {
			var job struct {
				ID string `json:"id"`
			}
			answer := courier.command(t, http.MethodPost, "/api/redeliveries", `{"destination":"search-index","status":"undelivered"}`)
			require.NoError(t, json.Unmarshal([]byte(answer), &job))
			courier.awaitStatus(t, "search-index", "evt_undelivered", "delivered")
			return courier.awaitOver(t, workflows.RedeliveryID(job.ID))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			receiver.Script(tt.giveScript...)
			history := readHistory(t, courier.client, tt.give(t), "")
			requireReplay(t, history)
			store(t, tt.name, history)
		})
	}
}

// requireReplay requires that the workflow code does again what it did.
func requireReplay(t *testing.T, history *historypb.History) {
	t.Helper()
	replayer := worker.NewWorkflowReplayer()
	workflows.Register(replayer)
	require.NoError(t, replayer.ReplayWorkflowHistory(nil, history))
}

// command is a request of an operator, which is accepted.
func (s starter) command(t *testing.T, method, path, body string) (answer string) {
	t.Helper()
	got := s.do(t, method, path, http.Header{"Content-Type": {"application/json"}}, []byte(body))
	require.Contains(t, []int{http.StatusOK, http.StatusAccepted}, got.status, got.body)
	return got.body
}

// awaitOver waits until a workflow has completed, and returns its id.
func (c *courier) awaitOver(t *testing.T, id string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.NoError(t, c.client.GetWorkflow(ctx, id, "").Get(ctx, nil))
	return id
}

// storedRelease is the version whose histories are stored, such as v0.1.0: by default that of the
// first heading of a release in the CHANGELOG.
func storedRelease(t *testing.T) string {
	t.Helper()
	if *version != "" {
		return *version
	}
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	require.NoError(t, err)
	found := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\]`).FindSubmatch(changelog)
	require.NotNil(t, found, "the CHANGELOG has no release")
	return "v" + string(found[1])
}

// store writes a history as workflows' replay tests read it, if -update says so.
func store(t *testing.T, name string, history *historypb.History) {
	t.Helper()
	if !*update {
		return
	}
	text, err := protojson.Marshal(history)
	require.NoError(t, err)
	dir := filepath.Join("..", "..", "workflows", "testdata", "histories")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	file, err := os.Create(filepath.Join(dir, storedRelease(t)+"_"+name+".json.gz"))
	require.NoError(t, err)
	compressed := gzip.NewWriter(file)
	_, err = compressed.Write(text)
	require.NoError(t, err)
	require.NoError(t, compressed.Close())
	require.NoError(t, file.Close())
}
