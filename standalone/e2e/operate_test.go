package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// senders is how many events are posted at once.
const senders = 16

// acceptMany posts count events of a type, whose ids begin with prefix, and returns the ids.
func (s starter) acceptMany(t *testing.T, eventType, prefix string, count int) []string {
	t.Helper()
	ids := make([]string, count)
	todo := make(chan string, count)
	for i := range ids {
		ids[i] = fmt.Sprintf("%s_%04d", prefix, i)
		todo <- ids[i]
	}
	close(todo)
	var group sync.WaitGroup
	for range senders {
		group.Go(func() {
			for id := range todo {
				s.accept(t, event(eventType, id), noEnvironment)
			}
		})
	}
	group.Wait()
	return ids
}

// page is a part of a list.
type page struct {
	Deliveries []delivery `json:"deliveries"`
	NextCursor string     `json:"nextCursor"`
}

func (s starter) list(t *testing.T, query string) page {
	t.Helper()
	answer := s.do(t, http.MethodGet, "/api/deliveries?"+query, nil, nil)
	require.Equal(t, http.StatusOK, answer.status, answer.body)
	var p page
	require.NoError(t, json.Unmarshal([]byte(answer.body), &p))
	return p
}

// state is a destination, as the API shows it.
type state struct {
	Name        string `json:"name"`
	State       string `json:"state"`
	Delivered   int    `json:"delivered"`
	Undelivered int    `json:"undelivered"`
	Waiting     int    `json:"waiting"`
	LastError   string `json:"lastError"`
}

// awaitState waits until the API shows a destination that is as wanted.
func (s starter) awaitState(t *testing.T, name, what string, wanted func(state) bool) state {
	t.Helper()
	return waitFor(t, "destination "+name+" "+what, func() (state, bool) {
		var all struct {
			Destinations []state `json:"destinations"`
		}
		require.NoError(t, json.Unmarshal([]byte(s.command(t, http.MethodGet, "/api/destinations", "")), &all))
		at := slices.IndexFunc(all.Destinations, func(d state) bool { return d.Name == name })
		require.GreaterOrEqual(t, at, 0)
		return all.Destinations[at], wanted(all.Destinations[at])
	})
}

// job is a bulk redelivery, as the API shows it.
type job struct {
	ID        string `json:"id"`
	Status    string `json:"status"`
	Found     int    `json:"found"`
	Started   int    `json:"started"`
	Skipped   int    `json:"skipped"`
	Failed    int    `json:"failed"`
	Delivered int    `json:"delivered"`
}

func (s starter) startJob(t *testing.T, body string) job {
	t.Helper()
	var j job
	require.NoError(t, json.Unmarshal([]byte(s.command(t, http.MethodPost, "/api/redeliveries", body)), &j))
	return j
}

func (s starter) awaitJob(t *testing.T, id, what string, wanted func(job) bool) job {
	t.Helper()
	return waitFor(t, "redelivery "+what, func() (job, bool) {
		var j job
		require.NoError(t, json.Unmarshal([]byte(s.command(t, http.MethodGet, "/api/redeliveries/"+id, "")), &j))
		return j, wanted(j)
	})
}

// byID counts requests by the event's id.
func byID(requests []hooktest.Request) map[string]int {
	counts := make(map[string]int)
	for _, request := range requests {
		counts[request.Header.Get("Webhook-Id")]++
	}
	return counts
}

// Pages neither repeat nor skip a delivery while others arrive, go on and end in between.
func TestPagesStayCorrectWhileDeliveriesArrive(t *testing.T) {
	t.Parallel()
	const count = 90
	receiver := hooktest.New(t, hooktest.Repeat(count/2, status(500))...)
	courier := start(t, t.TempDir(), configuration(destination("search-index", receiver.URL, retries(2*time.Second))))
	want := courier.acceptMany(t, "space_content_updated", "listed", count)
	waitFor(t, "all deliveries to be listed", func() (int, bool) {
		n := len(courier.list(t, "limit=200").Deliveries)
		return n, n == count
	})

	var got []delivery
	query := "destination=search-index&type=space_content_updated&space=space_xyz789&limit=20"
	for cursor, n := "", 0; n == 0 || cursor != ""; n++ {
		p := courier.list(t, query+"&cursor="+cursor)
		require.LessOrEqual(t, len(p.Deliveries), 20)
		got, cursor = append(got, p.Deliveries...), p.NextCursor
		courier.acceptMany(t, "space_content_updated", fmt.Sprintf("late_%d", n), 10)
	}

	ids := make([]string, len(got))
	for i, d := range got {
		ids[i] = d.EventID
	}
	slices.Sort(ids)
	require.Equal(t, want, ids)
	require.True(t, slices.IsSortedFunc(got, func(a, b delivery) int { return b.Runs[0].StartedAt.Compare(a.Runs[0].StartedAt) }), "the newest come first")
	require.Empty(t, courier.list(t, "destination=nobody").Deliveries)
	require.Empty(t, courier.list(t, "until="+got[len(got)-1].AcceptedAt.Add(-time.Minute).Format(time.RFC3339)).Deliveries)
	courier.stop(t)
}

// A job that is cut off in the middle by the end of the process goes on, and sends nothing twice.
func TestBulkRedeliverySurvivesARestartAndSendsNothingTwice(t *testing.T) {
	t.Parallel()
	const count = 1000
	receiver := hooktest.New(t, hooktest.Repeat(count, status(404))...)
	data := t.TempDir()
	yaml := configuration(destination("search-index", receiver.URL))
	courier := start(t, data, yaml)
	ids := courier.acceptMany(t, "space_content_updated", "bulk", count)
	courier.awaitState(t, "search-index", "to have given all up", func(s state) bool { return s.Undelivered == count })

	dry := courier.startJob(t, `{"destination":"search-index","dryRun":true,"perSecond":1000}`)
	dry = courier.awaitJob(t, dry.ID, "to be counted", func(j job) bool { return j.Status == "completed" })
	require.Equal(t, job{ID: dry.ID, Status: "completed", Found: count, Skipped: count}, dry)
	require.Len(t, receiver.Requests(), count, "a dry run sends nothing")

	running := courier.startJob(t, `{"destination":"search-index","status":"undelivered","perSecond":100}`)
	courier.awaitJob(t, running.ID, "to be in the middle", func(j job) bool { return j.Started >= count/5 })
	courier.kill(t)

	courier = start(t, data, yaml)
	// The rest takes longer than what a test waits for at once.
	for part := count / 4; part < count; part += count / 4 {
		courier.awaitJob(t, running.ID, "to go on", func(j job) bool { return j.Delivered >= part })
	}
	over := courier.awaitJob(t, running.ID, "to be over", func(j job) bool { return j.Status == "completed" && j.Delivered == count })
	require.Equal(t, job{ID: running.ID, Status: "completed", Found: count, Started: count, Delivered: count}, over)
	counts := byID(receiver.Requests())
	for _, id := range ids {
		// The process was killed, so what was under way is attempted once more in the same run; it
		// is not known whether the request went out before.
		runs := courier.await(t, "search-index", id, "to be shown", func(delivery) bool { return true }).Runs
		require.Len(t, runs, 2, id)
		attempts, interrupted := 0, 0
		for _, a := range slices.Concat(runs[0].Attempts, runs[1].Attempts) {
			attempts++
			if a.Outcome == "interrupted" {
				interrupted++
			}
		}
		require.LessOrEqual(t, counts[id], attempts, id)
		require.GreaterOrEqual(t, counts[id], attempts-interrupted, id)
	}
	courier.stop(t)
}

func TestPauseHoldsEverythingAcrossARestart(t *testing.T) {
	t.Parallel()
	const count = 500
	receiver, other := hooktest.New(t), hooktest.New(t)
	data := t.TempDir()
	yaml := configuration(
		destination("search-index", receiver.URL, events("space_content_updated")),
		destination("slack-bot", other.URL, events("space_content_updated")),
	)
	courier := start(t, data, yaml)
	courier.command(t, http.MethodPost, "/api/destinations/search-index/pause", "")
	// Workers go by what they have seen for up to a second.
	courier.accept(t, event("space_content_updated", "first"), noEnvironment)
	courier.await(t, "search-index", "first", "held", func(d delivery) bool { return d.Status == "held" || d.Status == "delivered" })
	sent := len(receiver.Requests())
	ids := courier.acceptMany(t, "space_content_updated", "held", count)
	courier.awaitState(t, "slack-bot", "to have got all", func(s state) bool { return s.Delivered == count+1 })
	paused := courier.awaitState(t, "search-index", "paused", func(s state) bool { return s.Waiting >= count })
	require.Equal(t, "paused", paused.State)
	require.Len(t, receiver.Requests(), sent, "nothing goes out while it is held")
	require.Len(t, courier.list(t, "destination=search-index&status=held&limit=5").Deliveries, 5)
	courier.stop(t)

	courier = start(t, data, yaml)
	courier.command(t, http.MethodPost, "/api/destinations/search-index/resume", "")
	courier.awaitState(t, "search-index", "to have got all", func(s state) bool {
		return s.Delivered == count+1 && s.State == "active"
	})
	counts := byID(receiver.Requests())
	for _, id := range ids {
		require.Equal(t, 1, counts[id], id)
	}
	refused := courier.do(t, http.MethodPost, "/api/destinations/search-index/resume", nil, nil)
	require.Equal(t, http.StatusConflict, refused.status)
	courier.stop(t)
}

func TestRetryNowTakesTheNextAttemptForward(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, status(500), status(500))
	courier := start(t, t.TempDir(), configuration(destination("search-index", receiver.URL, retries(time.Hour, time.Hour))))
	courier.accept(t, event("site_view", "evt_1"), noEnvironment)
	courier.awaitWait(t, "search-index", "evt_1")
	courier.act(t, "search-index", "evt_1", "retry")
	courier.await(t, "search-index", "evt_1", "waiting again", func(d delivery) bool {
		return d.AttemptCount == 2 && d.Runs[0].NextAttemptAt != nil
	})
	courier.act(t, "search-index", "evt_1", "retry")
	d := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Equal(t, []tried{{1, 500, "Unavailable"}, {2, 500, "Unavailable"}, {3, 200, "delivered"}}, brief(d.Runs[0].Attempts))

	for action, want := range map[string]int{"retry": http.StatusConflict, "cancel": http.StatusConflict} {
		require.Equal(t, want, courier.do(t, http.MethodPost, deliveryPath("search-index", "evt_1")+"/"+action, nil, nil).status, action)
		require.Equal(t, http.StatusNotFound, courier.do(t, http.MethodPost, deliveryPath("search-index", "evt_2")+"/"+action, nil, nil).status, action)
	}
	courier.stop(t)
}

// A request under way is waited for: its outcome is in the log, and when it delivers the delivery
// counts as delivered.
func TestCancelDuringARequestHearsItOut(t *testing.T) {
	t.Parallel()
	receiver := newSlow(t)
	courier := start(t, t.TempDir(), configuration(destination("search-index", receiver.URL)))
	for want, code := range map[string]int64{"delivered": 200, "cancelled": 404} {
		receiver.status.Store(code)
		courier.accept(t, event("site_view", "evt_"+want), noEnvironment)
		receiver.awaitRequest(t)
		courier.act(t, "search-index", "evt_"+want, "cancel")
		d := courier.awaitStatus(t, "search-index", "evt_"+want, want)
		require.Len(t, d.Runs[0].Attempts, 1, want)
		require.EqualValues(t, code, d.Runs[0].Attempts[0].StatusCode, want)
	}
	require.Zero(t, receiver.cut.Load())
	courier.stop(t)
}

func TestNoticesAndTestsAreDeliveries(t *testing.T) {
	t.Parallel()
	receiver, ops := hooktest.New(t, status(410)), hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(
		destination("search-index", receiver.URL, "notify: ops"),
		destination("ops", ops.URL, events("courier.delivery.undelivered")),
	))
	courier.accept(t, event("site_view", "evt_1"), noEnvironment)
	notice := ops.Next(t, t.Context())
	require.NoError(t, notice.Verified)
	var told struct {
		EventID, Type, Destination, Failure string
		Delivery                            struct{ EventID, Type string }
	}
	require.NoError(t, json.Unmarshal(notice.Body, &told))
	require.Equal(t, "courier.delivery.undelivered", told.Type)
	require.Equal(t, "evt_1", told.Delivery.EventID)
	require.Equal(t, "Rejected: 410 Gone", told.Failure)
	require.Equal(t, "notice", courier.awaitStatus(t, "ops", told.EventID, "delivered").Runs[0].Reason)

	var sent struct {
		Deliveries []struct{ EventID string } `json:"deliveries"`
	}
	require.NoError(t, json.Unmarshal([]byte(courier.command(t, http.MethodPost, "/api/destinations/search-index/test", "")), &sent))
	require.Len(t, sent.Deliveries, 3, "one for each type that it takes")
	for _, d := range sent.Deliveries {
		require.Equal(t, "test", courier.awaitStatus(t, "search-index", d.EventID, "delivered").Runs[0].Reason)
	}
	courier.stop(t)
}
