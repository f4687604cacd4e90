package activities_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/hooktest"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/internal/temporaltest"
)

var clock = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// signals records the attempts that are reported to the workflow.
type signals struct {
	mu  sync.Mutex
	all []activities.Attempt
}

func (s *signals) SignalWorkflow(_ context.Context, _, _, _ string, arg any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, arg.(activities.Attempt))
	return nil
}

// holds is a Holds that a test sets.
type holds struct {
	held     bool
	reported []bool
}

func (h *holds) Held(context.Context, string) bool { return h.held }
func (h *holds) Report(_ context.Context, _ string, healthy bool) {
	h.reported = append(h.reported, healthy)
}

// runs is a Runs in which every run began a minute ago.
type runs struct{ event string }

func (r runs) Event(context.Context, string, string) ([]byte, error) {
	return []byte(cmp.Or(r.event, oddEvent)), nil
}

func (runs) FirstTask(context.Context, string, string) (time.Time, string, error) {
	return clock.Add(-time.Minute), "2@host", nil
}

// bench is SendWebhook with everything it needs, on a clock that stands still.
type bench struct {
	env     *testsuite.TestActivityEnvironment
	options activities.Options
	signals *signals
	holds   holds
	journal temporaltest.Journal
}

func newBench(t *testing.T, target activities.Target) *bench {
	t.Helper()
	b := &bench{signals: &signals{}}
	b.options = activities.Options{
		Settings: activities.Settings{
			Destinations:  map[string]activities.Target{"search": target},
			Installations: func(string) (bool, bool) { return false, false },
		},
		Keys:     keyring(t),
		Signaler: b.signals,
		Journal:  &b.journal,
		Holds:    &b.holds,
		Runs:     runs{},
		Log:      slog.New(slog.DiscardHandler),
		Worker:   "1@host",
		Now:      func() time.Time { return clock },
		Random:   func() float64 { return 0.5 },
	}
	suite := &testsuite.WorkflowTestSuite{}
	b.env = suite.NewTestActivityEnvironment()
	return b
}

// send runs SendWebhook as a workflow of this release does.
func (b *bench) send(in activities.SendWebhookInput) ([]activities.Attempt, error) {
	return b.execute(in)
}

// execute runs SendWebhook with these arguments.
func (b *bench) execute(arguments ...any) ([]activities.Attempt, error) {
	a := activities.New(b.options)
	b.env.RegisterActivity(a.SendWebhook)
	value, err := b.env.ExecuteActivity(activities.SendWebhookType, arguments...)
	if err != nil {
		return nil, err
	}
	var result activities.SendWebhookResult
	err = value.Get(&result)
	return result.Attempts, err
}

func keyring(t *testing.T, first ...byte) *seal.Keyring {
	t.Helper()
	keys, err := seal.NewKeyring(bytes.Repeat(append(first, 7)[:1], seal.KeySize))
	require.NoError(t, err)
	return keys
}

func input() activities.SendWebhookInput {
	return activities.SendWebhookInput{Webhook: activities.Webhook{
		Destination: "search", EventID: "evt_1", TimeoutMs: 10_000, RetriesMs: []int64{1000, 2000, 4000}, RetryAfterMaxMs: 60_000,
	}}
}

func targetOf(r *hooktest.Receiver) activities.Target {
	return activities.Target{URL: r.URL + "/hook?key=geheim", Secrets: []string{hooktest.Secret}, AllowPrivate: true}
}

// failure is what SendWebhook's error says to Temporal.
type failure struct {
	kind, message string
	final         bool
	next          time.Duration
	log           []activities.Attempt
}

func failureOf(t *testing.T, err error) failure {
	t.Helper()
	var application *temporal.ApplicationError
	require.ErrorAs(t, err, &application)
	f := failure{kind: application.Type(), message: application.Message(), final: application.NonRetryable(), next: application.NextRetryDelay()}
	if application.HasDetails() {
		require.NoError(t, application.Details(&f.log))
	}
	return f
}

const oddEvent = "{ \"eventId\":\"evt_1\",\t\"type\":\"site_view\", \"url\":\"https://x/?a=1&b=<2>\", \"s\":\"é \u2028 \\u2028 😀\", \"n\":12345678901234567890.10 }\n"

func TestSendWebhookSendsTheEventByteForByte(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 201, Body: "thanks"})
	target := targetOf(receiver)
	target.Headers = map[string]string{"X-Team": "docs"}
	b := newBench(t, target)

	log, err := b.send(input())
	require.NoError(t, err)

	require.Equal(t, []activities.Attempt{{
		Number: 1, StartedAt: clock, StatusCode: 201, Outcome: activities.OutcomeDelivered, Reply: "thanks", Worker: "1@host",
	}}, log)
	requests := receiver.Requests()
	require.Len(t, requests, 1)
	require.Equal(t, oddEvent, string(requests[0].Body))
	header := requests[0].Header
	header.Del("Content-Length")
	require.Equal(t, http.Header{
		"Accept-Encoding":     nil,
		"Content-Type":        {"application/json"},
		"User-Agent":          {"GitBook-Webhook"},
		"X-Gitbook-Signature": {gitbook.Sign(clock, []byte(oddEvent), hooktest.Secret)},
		"Webhook-Id":          {"evt_1"},
		"Webhook-Timestamp":   {"1772625600"},
		"Webhook-Signature":   {gitbook.SignStandard("evt_1", clock, []byte(oddEvent), hooktest.Secret)},
		"Courier-Attempt":     {"1"},
		"X-Team":              {"docs"},
	}, merge(header, "Accept-Encoding"))
	require.Empty(t, b.signals.all)
}

// merge returns header with name set to nothing, for what is not compared.
func merge(header http.Header, name string) http.Header {
	header = header.Clone()
	header[name] = nil
	return header
}

func TestSendWebhookSignsWithEverySecret(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	target := targetOf(receiver)
	target.Secrets = []string{"new-secret", hooktest.Secret}
	b := newBench(t, target)

	_, err := b.send(input())
	require.NoError(t, err)

	header := receiver.Requests()[0].Header
	for _, secret := range target.Secrets {
		verifier := gitbook.Verifier{Secrets: []string{secret}, Now: func() time.Time { return clock }}
		require.NoError(t, verifier.Verify(header.Get(gitbook.SignatureHeader), []byte(oddEvent)))
	}
	_, oldest, _ := strings.Cut(gitbook.Sign(clock, []byte(oddEvent), hooktest.Secret), ",")
	require.True(t, strings.HasSuffix(header.Get(gitbook.SignatureHeader), oldest), "the oldest secret's v1 comes last")
	require.Len(t, strings.Fields(header.Get(gitbook.WebhookSignatureHeader)), 2)
}

func TestSendWebhookRetriesWithJitter(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 503, Body: "try \xff later"})
	b := newBench(t, targetOf(receiver))

	_, err := b.send(input())

	require.Equal(t, failure{kind: "Unavailable", message: "503 Service Unavailable", next: 1050 * time.Millisecond}, failureOf(t, err))
	sending := activities.Attempt{Number: 1, StartedAt: clock, Outcome: activities.OutcomeSending, Worker: "1@host"}
	failed := activities.Attempt{
		Number: 1, StartedAt: clock, StatusCode: 503, Outcome: "Unavailable", Error: "503 Service Unavailable", Reply: "try � later", WaitMs: 1050, Worker: "1@host",
	}
	require.Equal(t, [][]activities.Attempt{{sending}, {failed}}, b.journal.Logs())
	require.Equal(t, []activities.Attempt{failed}, b.signals.all)
}

func TestSendWebhookFinalFailureCarriesTheLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		giveAnswer  hooktest.Answer
		giveInput   func(*activities.SendWebhookInput)
		giveTarget  func(*activities.Target)
		want        failure
		wantRequest bool
	}{
		{
			name:       "rejected",
			giveAnswer: hooktest.Answer{Status: 404, Body: "no"},
			want: failure{kind: "Rejected", message: "404 Not Found", final: true, log: []activities.Attempt{{
				Number: 1, StatusCode: 404, Outcome: "Rejected", Error: "404 Not Found", Reply: "no",
			}}},
			wantRequest: true,
		},
		{
			name:       "redirected, and not followed",
			giveAnswer: hooktest.Answer{Status: 302, Header: http.Header{"Location": {"/elsewhere"}}},
			want: failure{kind: "Redirected", message: "302 Found; redirects are not followed, give the final URL", final: true, log: []activities.Attempt{{
				Number: 1, StatusCode: 302, Outcome: "Redirected", Error: "302 Found; redirects are not followed, give the final URL",
			}}},
			wantRequest: true,
		},
		{
			name:       "redirected to what is no URL",
			giveAnswer: hooktest.Answer{Status: 301, Header: http.Header{"Location": {"://%zz"}}},
			want: failure{kind: "Redirected", message: "301 Moved Permanently; redirects are not followed, give the final URL", final: true, log: []activities.Attempt{{
				Number: 1, StatusCode: 301, Outcome: "Redirected", Error: "301 Moved Permanently; redirects are not followed, give the final URL",
			}}},
			wantRequest: true,
		},
		{
			name:       "unavailable, and no retries",
			giveAnswer: hooktest.Answer{Status: 500},
			giveInput:  func(in *activities.SendWebhookInput) { in.RetriesMs = nil },
			want: failure{kind: "Unavailable", message: "500 Internal Server Error", final: true, log: []activities.Attempt{{
				Number: 1, StatusCode: 500, Outcome: "Unavailable", Error: "500 Internal Server Error",
			}}},
			wantRequest: true,
		},
		{
			name:      "destination unknown",
			giveInput: func(in *activities.SendWebhookInput) { in.Destination = "gone" },
			want:      failure{kind: "DestinationUnknown", message: `the configuration has no destination "gone"`, final: true, log: []activities.Attempt{}},
		},
		{
			name:       "refused URL",
			giveTarget: func(target *activities.Target) { target.URL = "gopher://example.com/?key=geheim" },
			want: failure{kind: "AddressForbidden", message: "the webhook URL must begin with http:// or https://", final: true, log: []activities.Attempt{{
				Number: 1, Outcome: "AddressForbidden", Error: "the webhook URL must begin with http:// or https://",
			}}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t, tt.giveAnswer)
			target, in := targetOf(receiver), input()
			if tt.giveTarget != nil {
				tt.giveTarget(&target)
			}
			if tt.giveInput != nil {
				tt.giveInput(&in)
			}
			_, err := newBench(t, target).send(in)

			for i := range tt.want.log {
				tt.want.log[i].StartedAt, tt.want.log[i].Worker = clock, "1@host"
			}
			require.Equal(t, tt.want, failureOf(t, err))
			require.Equal(t, tt.wantRequest, len(receiver.Requests()) == 1)
		})
	}
}

func TestSendWebhookSendsNothingWhileTheDestinationIsHeld(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	b := newBench(t, targetOf(receiver))
	b.holds.held = true
	in := input()
	in.Log.Attempts = []activities.Attempt{{Number: 1, Outcome: "Unavailable"}}

	_, err := b.send(in)

	require.Equal(t, failure{kind: "Held", message: "deliveries to search are held", final: true, log: in.Log.Attempts}, failureOf(t, err))
	require.Empty(t, receiver.Requests())
	require.Empty(t, b.journal.Logs())
}

// Attempts before a hold count.
func TestSendWebhookGoesOnWithTheAttemptsBefore(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 500})
	b := newBench(t, targetOf(receiver))
	in := input()
	for n := range 3 {
		in.Log.Attempts = append(in.Log.Attempts, activities.Attempt{Number: n + 1, Outcome: "Unavailable"})
	}

	_, err := b.send(in)

	got := failureOf(t, err)
	require.True(t, got.final, "the fourth attempt is the last")
	require.Len(t, got.log, 4)
	require.Equal(t, 4, got.log[3].Number)
	require.Equal(t, "4", receiver.Requests()[0].Header.Get("Courier-Attempt"))
}

func TestSendWebhookReportsHowTheDestinationDoes(t *testing.T) {
	t.Parallel()
	for status, healthy := range map[int]bool{200: true, 404: true, 302: true, 429: false, 500: false} {
		b := newBench(t, targetOf(hooktest.New(t, hooktest.Answer{Status: status})))
		_, _ = b.send(input())
		require.Equal(t, []bool{healthy}, b.holds.reported, status)
	}
}

// Nothing is dialled: the address is refused before the connection.
func TestSendWebhookRefusesEveryFormOfAPrivateAddress(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254",
		"192.0.0.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "localhost",
		"[::]", "[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fc00::1]", "[fe80::1]", "[ff02::1]", "[2001:db8::1]",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			_, err := newBench(t, activities.Target{URL: "http://" + host + "/", Secrets: []string{"s"}}).send(input())
			got := failureOf(t, err)
			require.Equal(t, "AddressForbidden", got.kind, got.message)
			require.True(t, got.final)
		})
	}
}

func TestSendWebhookRefusesPrivateAddresses(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	target := targetOf(receiver)
	target.AllowPrivate = false

	_, err := newBench(t, target).send(input())

	got := failureOf(t, err)
	require.Equal(t, "AddressForbidden", got.kind)
	require.True(t, got.final)
	require.Contains(t, got.message, "allow_private")
	require.Empty(t, receiver.Requests())
}

func TestSendWebhookRetriesWhenThereIsNoAnswer(t *testing.T) {
	t.Parallel()
	t.Run("connection dropped", func(t *testing.T) {
		t.Parallel()
		receiver := hooktest.New(t, hooktest.Answer{Drop: true})
		_, err := newBench(t, targetOf(receiver)).send(input())
		require.Equal(t, failure{kind: "Unavailable", message: "the connection was closed without an answer; if the port speaks TLS, the URL must begin with https://", next: 1050 * time.Millisecond}, failureOf(t, err))
		require.Len(t, receiver.Requests(), 1)
	})
	t.Run("timeout", func(t *testing.T) {
		t.Parallel()
		receiver := hooktest.New(t, hooktest.Answer{Hang: true})
		in := input()
		in.TimeoutMs = 100
		_, err := newBench(t, targetOf(receiver)).send(in)
		require.Equal(t, failure{kind: "Unavailable", message: "no answer within the timeout", next: 1050 * time.Millisecond}, failureOf(t, err))
	})
	t.Run("connection refused", func(t *testing.T) {
		t.Parallel()
		listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
		require.NoError(t, err)
		require.NoError(t, listener.Close())
		target := activities.Target{URL: "http://" + listener.Addr().String() + "/?key=geheim", AllowPrivate: true}
		_, err = newBench(t, target).send(input())
		got := failureOf(t, err)
		require.Equal(t, "Unavailable", got.kind)
		require.False(t, got.final)
		require.Contains(t, got.message, "connection refused")
		require.NotContains(t, got.message, "geheim")
	})
}

func TestSendWebhookHeedsRetryAfter(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 429, Header: http.Header{"Retry-After": {"30"}}})
	_, err := newBench(t, targetOf(receiver)).send(input())
	require.Equal(t, failure{kind: "RateLimited", message: "429 Too Many Requests", next: 30 * time.Second}, failureOf(t, err))
}

func TestSendWebhookReadsRepliesWithinBounds(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Body: strings.Repeat("x", 1<<20)})
	log, err := newBench(t, targetOf(receiver)).send(input())
	require.NoError(t, err)
	require.Len(t, log[0].Reply, 1<<10)
}

func TestSendWebhookOpensAnInstallationsWebhook(t *testing.T) {
	t.Parallel()
	accept := func(string) (allowPrivate, accepted bool) { return true, true }
	refuse := func(string) (allowPrivate, accepted bool) { return false, false }
	tests := []struct {
		name              string
		giveInstallations activities.Installations
		giveKeys          byte
		giveDelivery      string
		want              string
	}{
		{"opened", accept, 7, deliveryID, ""},
		{"installation not accepted any more", refuse, 7, deliveryID, `the configuration does not accept installation "inst_1"`},
		{"key gone", accept, 8, deliveryID, "open the installation's webhook: the key that sealed this value is not configured"},
		{"sealed for another delivery", accept, 7, "other@installation.inst_1", "open the installation's webhook: the sealed value is corrupt or belongs to another context"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t)
			sealed, err := activities.SealWebhook(keyring(t, tt.giveKeys), tt.giveDelivery, gitbook.Webhook{URL: receiver.URL, Secret: hooktest.Secret})
			require.NoError(t, err)
			require.NotContains(t, string(sealed), hooktest.Secret)
			b := newBench(t, activities.Target{})
			b.options.Settings.Installations = tt.giveInstallations
			b.options.Now = nil
			in := input()
			in.Destination, in.Sealed = "installation.inst_1", sealed

			_, err = b.send(in)

			if tt.want != "" {
				got := failureOf(t, err)
				require.Equal(t, "DestinationUnknown", got.kind)
				require.True(t, got.final)
				require.Equal(t, tt.want, got.message)
				require.Empty(t, receiver.Requests())
				return
			}
			require.NoError(t, err)
			require.Len(t, receiver.Requests(), 1)
			require.NoError(t, receiver.Requests()[0].Verified)
		})
	}
}

// overlaps are the secrets that sign for an installation.
type overlaps struct {
	secrets []string
	err     error
}

func (o overlaps) Secrets(_ context.Context, installation, secret string) ([]string, error) {
	if installation != "inst_1" || secret != hooktest.Secret {
		return nil, errors.New("asked for another")
	}
	return o.secrets, o.err
}

// A secret that was replaced in GitBook signs beside the new one, which comes first.
func TestReplacedSecretSigns(t *testing.T) {
	t.Parallel()
	for _, express := range []bool{false, true} {
		receiver := hooktest.New(t)
		b := newBench(t, activities.Target{})
		b.options.Settings.Installations = func(string) (bool, bool) { return true, true }
		b.options.Overlaps = overlaps{secrets: []string{"new", hooktest.Secret}}
		sealed, err := activities.SealWebhook(keyring(t), "default-test-workflow-id", gitbook.Webhook{URL: receiver.URL, Secret: hooktest.Secret})
		require.NoError(t, err)
		in := input()
		in.Destination, in.Sealed = "installation.inst_1", sealed

		send := func() (log []activities.Attempt, err error) { return b.send(in) }
		if express {
			run := b.express(t)
			send = func() (log []activities.Attempt, err error) { return run(activities.ExpressInput{Webhook: in.Webhook}) }
		}
		_, err = send()
		require.NoError(t, err)
		require.Equal(t, gitbook.Sign(clock, []byte(oddEvent), "new", hooktest.Secret), receiver.Requests()[0].Header.Get(gitbook.SignatureHeader))

		// While the secrets are not known, nothing is sent, and nothing is counted.
		b.options.Overlaps = overlaps{err: errors.New("out of reach")}
		if express {
			run := b.express(t)
			log, err := run(activities.ExpressInput{Webhook: in.Webhook})
			require.NoError(t, err)
			require.Empty(t, log)
		} else {
			_, err = b.send(in)
			require.Equal(t, "NotSent", failureOf(t, err).kind)
			require.False(t, failureOf(t, err).final)
		}
		require.Len(t, receiver.Requests(), 1)
	}
}

func TestTargetPrintsNoSecret(t *testing.T) {
	t.Parallel()
	target := activities.Target{URL: "https://example.com/?key=geheim", Secrets: []string{"geheim"}, Headers: map[string]string{"A": "geheim"}}
	require.NotContains(t, target.String()+target.GoString()+target.LogValue().String(), "geheim")
}

func TestCompleteLog(t *testing.T) {
	t.Parallel()
	failed := activities.Attempt{Number: 1, Outcome: "Unavailable", StatusCode: 500}
	const lost = "the worker stopped before it could report the outcome; the request may have arrived"
	tests := []struct {
		name     string
		give     []activities.Attempt
		giveLast int
		want     []activities.Attempt
	}{
		{"nothing happened yet", nil, 0, []activities.Attempt{}},
		{"complete", []activities.Attempt{failed}, 1, []activities.Attempt{failed}},
		{
			"still sending when the worker vanished",
			[]activities.Attempt{failed, {Number: 2, Outcome: "sending", StartedAt: clock, Worker: "w"}},
			2,
			[]activities.Attempt{failed, {Number: 2, Outcome: "interrupted", StartedAt: clock, Worker: "w", Error: lost}},
		},
		{
			"never reported",
			[]activities.Attempt{failed},
			2,
			[]activities.Attempt{failed, {Number: 2, Outcome: "interrupted", Error: lost}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, activities.CompleteLog(tt.give, tt.giveLast))
		})
	}
}

// The names in the log's JSON are read by people, in the Temporal UI, and by programs; they must
// not change by accident.
func TestAttemptJSON(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(activities.Attempt{
		Number: 2, StartedAt: clock, DurationMs: 12, StatusCode: 500, Outcome: "Unavailable", Error: "e", Reply: "r", WaitMs: 2000, Worker: "w",
	})
	require.NoError(t, err)
	require.JSONEq(t, `{"number":2,"startedAt":"2026-03-04T12:00:00Z","durationMs":12,"statusCode":500,"outcome":"Unavailable","error":"e","reply":"r","waitMs":2000,"worker":"w"}`, string(got))
}
