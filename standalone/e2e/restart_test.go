package e2e_test

import (
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// A delivery is on its second wait when the program ends, and the program that follows takes it to
// the fourth attempt and no further.
func TestRestartDuringARetryGoesOnWithTheDelivery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give func(t *testing.T, p *program)
	}{
		{"killed", func(t *testing.T, p *program) { p.kill(t) }},
		{"stopped", func(t *testing.T, p *program) { p.stop(t) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t, status(500), status(502), status(503), status(504))
			data := t.TempDir()
			yaml := configuration(destination("search-index", receiver.URL, retries(time.Second, 2*time.Second, time.Second)))
			courier := start(t, data, yaml)
			courier.accept(t, event("space_content_updated", "evt_1"), noEnvironment)
			before := courier.await(t, "search-index", "evt_1", "waiting for the third attempt", func(d delivery) bool {
				return d.AttemptCount == 2 && d.Runs[0].NextAttemptAt != nil
			})
			tt.give(t, courier.program)

			courier = start(t, data, yaml)
			after := courier.awaitStatus(t, "search-index", "evt_1", "undelivered")
			require.Equal(t, []tried{{1, 500, "Unavailable"}, {2, 502, "Unavailable"}, {3, 503, "Unavailable"}, {4, 504, "Unavailable"}}, brief(after.Runs[0].Attempts))
			require.Equal(t, before.Runs[0].Attempts, after.Runs[0].Attempts[:2])
			require.Equal(t, before.AcceptedAt, after.AcceptedAt)
			requireStory(t, after.Runs[0].Attempts)
			require.NotEqual(t, after.Runs[0].Attempts[0].Worker, after.Runs[0].Attempts[3].Worker)
			requireAttemptHeaders(t, receiver.Requests(), 4)
			attempts, err := courier.outcome(t, "evt_1@search-index")
			requireCause(t, err, "Unavailable")
			require.Equal(t, after.Runs[0].Attempts, attempts)
			courier.stop(t)
		})
	}
}

// The request may have arrived, so it counts as an attempt, and the log says that its outcome is
// not known.
func TestKilledDuringARequestCountsTheAttempt(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Hang: true})
	data := t.TempDir()
	yaml := configuration(destination("search-index", receiver.URL, "timeout: 1s", quick()))
	courier := start(t, data, yaml)
	courier.accept(t, event("space_content_updated", "evt_1"), noEnvironment)
	receiver.Next(t, t.Context())
	courier.kill(t)

	courier = start(t, data, yaml)
	shown := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Equal(t, []tried{{1, 0, "interrupted"}, {2, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	requireStory(t, shown.Runs[0].Attempts)
	requireAttemptHeaders(t, receiver.Requests(), 2)
	requireReplay(t, readHistory(t, courier.client, "evt_1@search-index", ""))
}

// The first attempt is in the express lane, the others are Temporal's. Whenever the program is
// killed in between, there are never more than four requests.
func TestKilledBetweenTheExpressLaneAndTheRetriesSendsFourTimesAtMost(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Repeat(99, status(500))...)
	data := t.TempDir()
	yaml := configuration(destination("search-index", receiver.URL, "timeout: 1s", quick()))
	courier := start(t, data, yaml)
	ids := []string{"evt_1", "evt_2", "evt_3", "evt_4", "evt_5", "evt_6"}
	for _, id := range ids {
		courier.accept(t, event("space_content_updated", id), noEnvironment)
	}
	receiver.Next(t, t.Context())
	courier.kill(t)

	courier = start(t, data, yaml)
	for _, id := range ids {
		shown := courier.awaitStatus(t, "search-index", id, "undelivered")
		require.Len(t, shown.Runs[0].Attempts, 4, id)
		require.LessOrEqual(t, len(requests(receiver, id)), 4, id)
		require.GreaterOrEqual(t, len(requests(receiver, id)), 3, id)
	}
}

// An accepted event is on disk, whatever happens in the next moment.
func TestKilledAtOnceAfterTheAnswerDelivers(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	data := t.TempDir()
	yaml := configuration(destination("search-index", receiver.URL, quick()))
	courier := start(t, data, yaml)
	ids := []string{"evt_1", "evt_2", "evt_3", "evt_4", "evt_5"}
	for _, id := range ids {
		courier.accept(t, event("space_content_updated", id), noEnvironment)
	}
	courier.kill(t)

	courier = start(t, data, yaml)
	for _, id := range ids {
		courier.awaitStatus(t, "search-index", id, "delivered")
		require.NotEmpty(t, requests(receiver, id))
	}
}

func TestDuplicatesAreDeliveredOnce(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	data := t.TempDir()
	yaml := configuration(destination("search-index", receiver.URL))
	courier := start(t, data, yaml)
	same := event("space_content_updated", "evt_1")

	const copies = 8
	answers := make([]reply, copies)
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() { answers[i] = courier.post(t, same, noEnvironment) })
	}
	group.Wait()
	first := 0
	for _, answer := range answers {
		if answer.header.Get("Courier-Duplicate") == "" {
			first++
		}
		require.Equal(t, http.StatusOK, answer.status)
		require.Equal(t, "evt_1@search-index", answer.header.Get("Courier-Delivery"))
	}
	require.Equal(t, 1, first)
	courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	requireDuplicate(t, courier.post(t, same, noEnvironment))
	requireDuplicate(t, courier.relay(t, same))
	courier.stop(t)

	courier = start(t, data, yaml)
	requireDuplicate(t, courier.post(t, same, noEnvironment))
	shown := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Len(t, shown.Runs, 1)
	courier.accept(t, event("space_content_updated", "evt_2"), noEnvironment)
	courier.awaitStatus(t, "search-index", "evt_2", "delivered")
	require.Len(t, receiver.Requests(), 2)
}

func requireDuplicate(t *testing.T, answer reply) {
	t.Helper()
	require.Equal(t, http.StatusOK, answer.status)
	require.Equal(t, "OK", answer.body)
	require.Equal(t, "true", answer.header.Get("Courier-Duplicate"))
	require.Equal(t, "evt_1@search-index", answer.header.Get("Courier-Delivery"))
}

// A stop during a request lets it end; the time it takes is the destination's.
func TestStoppedDuringARequestHearsItOut(t *testing.T) {
	t.Parallel()
	slow := newSlow(t)
	data := t.TempDir()
	yaml := configuration(destination("search-index", slow.URL))
	courier := start(t, data, yaml)
	courier.accept(t, event("space_content_updated", "evt_1"), noEnvironment)
	slow.awaitRequest(t)
	courier.signal(t, os.Interrupt)
	require.Zero(t, courier.exitCode(t, stopTime))

	courier = start(t, data, yaml)
	shown := courier.awaitStatus(t, "search-index", "evt_1", "delivered")
	require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
	require.EqualValues(t, 1, slow.answered.Load())
	require.Zero(t, slow.cut.Load())
}
