package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/gitbook-courier/courier/internal/hooktest"
	"github.com/gitbook-courier/courier/workflows"
)

// Of several redeliveries at the same time one wins, and no run is missing from the chain.
func TestOneOfSeveralRedeliveriesAtOnceWins(t *testing.T) {
	t.Parallel()
	const rounds, callers = 20, 4
	receiver := hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(destination("search-index", receiver.URL)))
	courier.accept(t, event("site_view", "evt_1"), noEnvironment)
	courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	for round := range rounds {
		statuses := make([]int, callers)
		var group sync.WaitGroup
		for i := range statuses {
			group.Go(func() {
				statuses[i] = courier.do(t, http.MethodPost, deliveryPath("search-index", "evt_1")+"/redeliver", nil, nil).status
			})
		}
		group.Wait()
		require.ElementsMatch(t, []int{http.StatusAccepted, http.StatusConflict, http.StatusConflict, http.StatusConflict}, statuses)
		d := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
		require.Len(t, d.Runs, round+2)
	}
	require.Len(t, receiver.Requests(), rounds+1)
	courier.stop(t)
}

// An operator's pause in Temporal is shown as held, and retry ends it.
func TestPauseInTemporalIsHeld(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, status(500))
	courier := start(t, t.TempDir(), configuration(destination("search-index", receiver.URL, retries(time.Hour))))
	courier.accept(t, event("site_view", "evt_1"), noEnvironment)
	courier.awaitWait(t, "search-index", "evt_1")
	_, err := courier.client.WorkflowService().PauseActivity(t.Context(), &workflowservice.PauseActivityRequest{
		Namespace: "default", Execution: &commonpb.WorkflowExecution{WorkflowId: workflows.DeliveryID("evt_1", "search-index")},
		Activity: &workflowservice.PauseActivityRequest_Type{Type: "SendWebhook"},
	})
	require.NoError(t, err)
	d := courier.awaitStatus(t, "search-index", "evt_1", "held")
	require.Equal(t, "Unavailable: 500 Internal Server Error", d.Failure)
	waitFor(t, "the list of held ones to have it", func() (page, bool) {
		p := courier.list(t, "status=held")
		return p, len(p.Deliveries) == 1
	})
	require.Equal(t, http.StatusConflict, courier.do(t, http.MethodPost, deliveryPath("search-index", "evt_1")+"/redeliver", nil, nil).status)
	courier.act(t, "search-index", "evt_1", "retry")
	courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	courier.stop(t)
}

// Deliveries that are held without a hold are released by resume and, should nobody call it, when a
// worker starts.
func TestDeliveriesOfATerminatedHoldAreReleased(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	data, yaml := t.TempDir(), configuration(destination("search-index", receiver.URL))
	courier := start(t, data, yaml)
	hold := func(id string) {
		courier.command(t, http.MethodPost, "/api/destinations/search-index/pause", "")
		time.Sleep(2 * workflows.HoldCacheTTL) //nolint:forbidigo // workers rely on their last look for that long
		courier.accept(t, event("site_view", id), noEnvironment)
		courier.awaitStatus(t, "search-index", id, "held")
		require.NoError(t, courier.client.TerminateWorkflow(t.Context(), workflows.HoldID("search-index"), "", "a test"))
	}
	hold("evt_1")
	courier.command(t, http.MethodPost, "/api/destinations/search-index/resume", "")
	courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	courier.awaitState(t, "search-index", "active", func(s state) bool { return s.State == "active" })

	hold("evt_2")
	courier.stop(t)
	courier = start(t, data, yaml)
	courier.awaitStatus(t, "search-index", "evt_2", "delivered")
	courier.stop(t)
}

// A paused destination that the configuration no longer has can be resumed, and its deliveries wait
// for a configuration that has it.
func TestPausedDestinationLeavesTheConfiguration(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	data := t.TempDir()
	courier := start(t, data, configuration(destination("search-index", receiver.URL)))
	courier.command(t, http.MethodPost, "/api/destinations/search-index/pause", "")
	for i := range 3 {
		courier.accept(t, event("site_view", fmt.Sprintf("evt_%d", i)), noEnvironment)
	}
	courier.awaitStatus(t, "search-index", "evt_2", "held")
	courier.stop(t)

	courier = start(t, data, configuration(destination("other", receiver.URL)))
	courier.awaitState(t, "search-index", "paused", func(s state) bool { return s.State == "paused" })
	courier.act(t, "search-index", "evt_2", "cancel")
	courier.command(t, http.MethodPost, "/api/destinations/search-index/resume", "")
	d := courier.await(t, "search-index", "evt_1", "unknown", func(d delivery) bool { return d.Failure != "" })
	require.Equal(t, "pending", d.Status)
	require.Contains(t, d.Failure, "DestinationUnknown: ")
	courier.awaitState(t, "search-index", "unknown", func(s state) bool { return s.State == "unknown" && s.Waiting >= 1 })
	courier.stop(t)

	courier = start(t, data, configuration(destination("search-index", receiver.URL)))
	courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	courier.awaitStatus(t, "search-index", "evt_2", "cancelled")
	courier.stop(t)
}
