package e2e_test

import (
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkpb "go.temporal.io/api/sdk/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// unusedAddress is a loopback address on which nothing listens. Its port is not one that the system
// would give to someone else in the meantime.
func unusedAddress(t *testing.T) string {
	t.Helper()
	return waitFor(t, "an unused port", func() (string, bool) {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+rand.IntN(10_000)))
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
		return address, err == nil && listener.Close() == nil
	})
}

func status(code int) hooktest.Answer { return hooktest.Answer{Status: code} }

func retryAfter(seconds string) hooktest.Answer {
	return hooktest.Answer{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {seconds}}, Body: "slow down"}
}

// waits are bounds of a wait in milliseconds.
type waits struct{ least, most int64 }

func TestFailuresAreRetriedByTheirKind(t *testing.T) {
	t.Parallel()
	hang, drop := hooktest.Answer{Hang: true}, hooktest.Answer{Drop: true}
	quickWaits := []waits{{100, 110}, {200, 220}, {400, 440}, {0, 0}}
	tests := []struct {
		name       string
		giveScript []hooktest.Answer
		giveKeys   []string
		giveURL    string // instead of the receiver's
		want       []tried
		wantWaits  []waits // of as many attempts as it lists
		wantCause  string  // empty when delivered
		wantSent   int     // requests; as many as attempts when 0
	}{
		{
			name: "server-error", giveScript: []hooktest.Answer{status(500), status(503), status(500), status(204)}, giveKeys: []string{quick()},
			want:      []tried{{1, 500, "Unavailable"}, {2, 503, "Unavailable"}, {3, 500, "Unavailable"}, {4, 204, "delivered"}},
			wantWaits: quickWaits,
		},
		{
			name: "server-error-for-ever", giveScript: hooktest.Repeat(10, status(500)), giveKeys: []string{quick()},
			want:      []tried{{1, 500, "Unavailable"}, {2, 500, "Unavailable"}, {3, 500, "Unavailable"}, {4, 500, "Unavailable"}},
			wantWaits: quickWaits, wantCause: "Unavailable",
		},
		{
			name: "retry-after-lengthens", giveScript: []hooktest.Answer{retryAfter("1")}, giveKeys: []string{quick()},
			want: []tried{{1, 429, "RateLimited"}, {2, 200, "delivered"}}, wantWaits: []waits{{1000, 1000}},
		},
		{
			name: "retry-after-does-not-shorten", giveScript: []hooktest.Answer{retryAfter("0")}, giveKeys: []string{quick()},
			want: []tried{{1, 429, "RateLimited"}, {2, 200, "delivered"}}, wantWaits: quickWaits[:1],
		},
		{
			name: "retry-after-up-to-the-cap", giveScript: []hooktest.Answer{retryAfter("3600")}, giveKeys: []string{quick(), "retry_after_max: 300ms"},
			want: []tried{{1, 429, "RateLimited"}, {2, 200, "delivered"}}, wantWaits: []waits{{300, 300}},
		},
		{
			name: "no-answer-in-time", giveScript: []hooktest.Answer{hang}, giveKeys: []string{quick(), "timeout: 200ms"},
			want: []tried{{1, 0, "Unavailable"}, {2, 200, "delivered"}}, wantWaits: quickWaits[:1],
		},
		{
			name: "dropped-connection", giveScript: []hooktest.Answer{drop, drop}, giveKeys: []string{quick()},
			want: []tried{{1, 0, "Unavailable"}, {2, 0, "Unavailable"}, {3, 200, "delivered"}}, wantWaits: quickWaits[:2],
		},
		{
			name: "refused-connection", giveURL: "http://" + unusedAddress(t), giveKeys: []string{quick()},
			want:      []tried{{1, 0, "Unavailable"}, {2, 0, "Unavailable"}, {3, 0, "Unavailable"}, {4, 0, "Unavailable"}},
			wantWaits: quickWaits, wantCause: "Unavailable", wantSent: -1,
		},
		{
			name: "any-mixture-is-four-at-most", giveScript: []hooktest.Answer{status(500), drop, retryAfter("0"), hang}, giveKeys: []string{quick(), "timeout: 200ms"},
			want:      []tried{{1, 500, "Unavailable"}, {2, 0, "Unavailable"}, {3, 429, "RateLimited"}, {4, 0, "Unavailable"}},
			wantWaits: quickWaits, wantCause: "Unavailable",
		},
		{
			name: "client-error-is-final", giveScript: []hooktest.Answer{status(500), status(404)}, giveKeys: []string{quick()},
			want: []tried{{1, 500, "Unavailable"}, {2, 404, "Rejected"}}, wantWaits: quickWaits[:1], wantCause: "Rejected",
		},
		{
			name: "redirect-is-final", giveKeys: []string{quick()},
			giveScript: []hooktest.Answer{{Status: 307, Header: http.Header{"Location": {"/elsewhere"}}}},
			want:       []tried{{1, 307, "Redirected"}}, wantCause: "Redirected",
		},
		{
			name: "private-address-is-final", giveKeys: []string{quick(), "allow_private: false"},
			want: []tried{{1, 0, "AddressForbidden"}}, wantCause: "AddressForbidden", wantSent: -1,
		},
		{
			name: "schedule-of-gitbook", giveScript: []hooktest.Answer{status(500), status(502)},
			want:      []tried{{1, 500, "Unavailable"}, {2, 502, "Unavailable"}, {3, 200, "delivered"}},
			wantWaits: []waits{{1000, 1100}, {2000, 2200}, {0, 0}},
		},
		{
			name: "no-retries", giveScript: []hooktest.Answer{status(500)}, giveKeys: []string{"retries: []"},
			want: []tried{{1, 500, "Unavailable"}}, wantWaits: []waits{{0, 0}}, wantCause: "Unavailable",
		},
	}
	receivers := make(map[string]*hooktest.Receiver)
	var destinations []string
	for _, tt := range tests {
		receivers[tt.name] = hooktest.New(t, tt.giveScript...)
		url := tt.giveURL
		if url == "" {
			url = receivers[tt.name].URL
		}
		destinations = append(destinations, destination(tt.name, url, append(tt.giveKeys, events(eventTypeOf(tt.name)))...))
	}
	courier := start(t, t.TempDir(), configuration(destinations...))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			id := "evt_" + tt.name
			courier.accept(t, event(eventTypeOf(tt.name), id), noEnvironment)
			attempts, err := courier.outcome(t, id+"@"+tt.name)
			require.Equal(t, tt.want, brief(attempts))
			for i, want := range tt.wantWaits {
				wait := attempts[i].WaitMs
				require.True(t, want.least <= wait && wait <= want.most, "wait %d of %d ms is not within %v", i+1, wait, want)
			}
			requireStory(t, attempts)

			shown := courier.awaitClosed(t, tt.name, id)
			require.Equal(t, attempts, shown.Runs[0].Attempts, "the API shows what Temporal has stored")
			require.Equal(t, len(tt.want), shown.AttemptCount)
			if tt.wantCause == "" {
				require.NoError(t, err)
				require.Equal(t, "delivered", shown.Status)
			} else {
				requireCause(t, err, tt.wantCause)
				require.Equal(t, "undelivered", shown.Status)
				require.Contains(t, shown.Failure, tt.wantCause+": ")
			}
			if tt.wantSent == 0 {
				tt.wantSent = len(tt.want)
			}
			requireAttemptHeaders(t, receivers[tt.name].Requests(), max(tt.wantSent, 0))
		})
	}
}

func eventTypeOf(name string) string {
	eventType := []byte("case_" + name)
	for i, b := range eventType {
		if b == '-' {
			eventType[i] = '_'
		}
	}
	return string(eventType)
}

func (s starter) awaitClosed(t *testing.T, destination, eventID string) delivery {
	t.Helper()
	return s.await(t, destination, eventID, "closed", func(d delivery) bool { return d.ClosedAt != nil })
}

// requireStory checks what every complete attempt log tells.
func requireStory(t *testing.T, attempts []attempt) {
	t.Helper()
	for i, a := range attempts {
		require.NotEmpty(t, a.Worker)
		require.False(t, a.StartedAt.IsZero())
		if a.Outcome != "delivered" {
			require.NotEmpty(t, a.Error)
		}
		if a.StatusCode == http.StatusTooManyRequests {
			require.Equal(t, "slow down", a.Reply)
		}
		if i == 0 {
			continue
		}
		before := attempts[i-1]
		waited := a.StartedAt.Sub(before.StartedAt) - time.Duration(before.DurationMs)*time.Millisecond
		require.GreaterOrEqual(t, waited, time.Duration(before.WaitMs)*time.Millisecond, "attempt %d came too early", a.Number)
	}
}

// requireCause checks the failure of an undelivered delivery's workflow.
func requireCause(t *testing.T, err error, cause string) {
	t.Helper()
	var failure, inner *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.Equal(t, "Undelivered", failure.Type())
	require.ErrorAs(t, failure.Unwrap(), &inner)
	require.Equal(t, cause, inner.Type())
}

// requireAttemptHeaders checks that requests count their attempts, and that each is signed anew.
func requireAttemptHeaders(t *testing.T, all []hooktest.Request, count int) {
	t.Helper()
	require.Len(t, all, count)
	for i, request := range all {
		require.Equal(t, strconv.Itoa(i+1), request.Header.Get("Courier-Attempt"))
		require.NoError(t, request.Verified)
		require.Equal(t, all[0].Body, request.Body)
		require.Equal(t, all[0].Header.Get("Webhook-Id"), request.Header.Get("Webhook-Id"))
		readSignature(t, request.Header)
	}
}

func TestWaitingDeliveryIsSeenAndCanBeRetriedOrCancelled(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 503, Body: "back soon"}, status(503))
	courier := start(t, t.TempDir(), configuration(destination("later", receiver.URL+"/hook?key=hidden", retries(10*time.Minute))))
	courier.accept(t, event("site_view", "evt_retried"), noEnvironment)

	shown := courier.awaitWait(t, "later", "evt_retried")
	run := shown.Runs[0]
	require.Equal(t, 1, shown.AttemptCount)
	require.Equal(t, "Unavailable: 503 Service Unavailable", shown.Failure)
	require.Equal(t, receiver.URL+"/hook", shown.URL)
	require.Equal(t, []tried{{1, 503, "Unavailable"}}, brief(run.Attempts))
	require.Equal(t, "back soon", run.Attempts[0].Reply)
	last := run.Attempts[0]
	next := last.StartedAt.Add(time.Duration(last.DurationMs+last.WaitMs) * time.Millisecond)
	require.WithinDuration(t, next, *run.NextAttemptAt, 2*time.Second)
	courier.requireWaitInTemporal(t, "evt_retried@later", run.Attempts)

	courier.act(t, "later", "evt_retried", "retry")
	courier.awaitClosed(t, "later", "evt_retried")
	attempts, err := courier.outcome(t, "evt_retried@later")
	requireCause(t, err, "Unavailable")
	require.Equal(t, []tried{{1, 503, "Unavailable"}, {2, 503, "Unavailable"}}, brief(attempts))
	requireAttemptHeaders(t, receiver.Requests(), 2)

	receiver.Script(status(500))
	courier.accept(t, event("site_view", "evt_cancelled"), noEnvironment)
	courier.awaitWait(t, "later", "evt_cancelled")
	courier.act(t, "later", "evt_cancelled", "cancel")
	cancelled := courier.awaitStatus(t, "later", "evt_cancelled", "cancelled")
	require.Equal(t, []tried{{1, 500, "Unavailable"}}, brief(cancelled.Runs[0].Attempts))

	courier.act(t, "later", "evt_cancelled", "redeliver")
	again := courier.awaitStatus(t, "later", "evt_cancelled", "delivered")
	require.Len(t, again.Runs, 2)
	require.Equal(t, "redelivery", again.Runs[1].Reason)
	require.Equal(t, []tried{{1, 200, "delivered"}}, brief(again.Runs[1].Attempts))
	require.Len(t, requests(receiver, "evt_cancelled"), 2)
}

// requireWaitInTemporal checks what Temporal itself, and so its UI, shows of a delivery that waits
// after its first attempt.
func (c *courier) requireWaitInTemporal(t *testing.T, id string, want []attempt) {
	t.Helper()
	described, err := c.client.DescribeWorkflowExecution(t.Context(), id, "")
	require.NoError(t, err)
	require.Len(t, described.GetPendingActivities(), 1)
	pending := described.GetPendingActivities()[0]
	require.EqualValues(t, 2, pending.GetAttempt())
	require.Equal(t, "Unavailable", pending.GetLastFailure().GetApplicationFailureInfo().GetType())
	var log []attempt
	require.NoError(t, converter.GetDefaultDataConverter().FromPayloads(pending.GetHeartbeatDetails(), &log))
	require.Equal(t, want, log)

	waitFor(t, "the failed attempt in the current details", func() (string, bool) {
		value, err := c.client.QueryWorkflow(t.Context(), id, "", "__temporal_workflow_metadata")
		require.NoError(t, err)
		var metadata sdkpb.WorkflowMetadata
		require.NoError(t, value.Get(&metadata))
		details := metadata.GetCurrentDetails()
		last := want[0]
		next := last.StartedAt.Add(time.Duration(last.DurationMs+last.WaitMs) * time.Millisecond)
		return details, containsAll(details, "**Retrying.** Attempt 2 of 2 follows at "+next.Format(time.DateTime),
			"| 1\u2003 | "+last.StartedAt.Format("2006-01-02 15:04:05.000")+"\u2003 |", "Unavailable: `503 Service Unavailable`")
	})
}
