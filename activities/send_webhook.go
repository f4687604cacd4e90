package activities

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/codec"
)

// SendWebhookType is the activity type of SendWebhook.
const SendWebhookType = "SendWebhook"

// AttemptFailedSignal is the signal by which SendWebhook reports to its workflow an attempt that
// failed and will be followed by another. Its argument is the Attempt. It serves the workflow's
// current details and its search attribute; the log that counts is the one in the heartbeat
// details.
const AttemptFailedSignal = "AttemptFailed"

// signalTimeout bounds the signal, which must not hold up the attempt's failure.
const signalTimeout = 2 * time.Second

const (
	// SendGrace is how much longer than its request an execution of SendWebhook may take: to wait
	// for its turn, and for a Temporal that answers slowly.
	SendGrace = time.Minute
	// HeartbeatTimeout is after how long without a heartbeat an execution of SendWebhook counts as
	// lost with its worker.
	HeartbeatTimeout = 15 * time.Second
	// heartbeatInterval is the pause between two heartbeats during a request. Most requests end
	// before the first.
	heartbeatInterval = 5 * time.Second
	// soon is the wait before an execution that could not send is repeated.
	soon = time.Second
)

// Webhook is the webhook of one delivery, except for the event itself: where it goes, and by which
// schedule.
type Webhook struct {
	// Destination is the name of a configured destination, or InstallationPrefix and the id of an
	// installation.
	Destination string `json:"destination"`
	// EventID is the event's eventId, sent as webhook-id.
	EventID string `json:"eventId"`
	// Sealed is an installation's webhook, sealed by SealWebhook for the delivery's workflow id;
	// empty for configured destinations.
	Sealed []byte `json:"sealed,omitempty"`
	// Fetch is the request that a fetch event is about, sealed by SealFetch for the delivery's
	// workflow id; empty for other events. The delivery's body is then that request's.
	Fetch []byte `json:"fetch,omitempty"`
	// TimeoutMs bounds one attempt, in milliseconds.
	TimeoutMs int64 `json:"timeoutMs"`
	// RetriesMs are the waits between attempts, in milliseconds, before jitter.
	RetriesMs []int64 `json:"retriesMs"`
	// RetryAfterMaxMs bounds how far a Retry-After can lengthen a wait, in milliseconds.
	RetryAfterMaxMs int64 `json:"retryAfterMaxMs"`
}

// Timeout bounds one attempt.
func (w Webhook) Timeout() time.Duration { return milliseconds(w.TimeoutMs) }

// Retries are the waits between attempts.
func (w Webhook) Retries() []time.Duration {
	retries := make([]time.Duration, len(w.RetriesMs))
	for i, ms := range w.RetriesMs {
		retries[i] = milliseconds(ms)
	}
	return retries
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// SendWebhookInput is the input of SendWebhook.
type SendWebhookInput struct {
	Webhook
	// Log holds the attempts made before: the one in the express lane, or all until the delivery
	// was held. They count, and stay in the log.
	Log AttemptLog `json:"attempts"`
	// HandedOver says that the last attempt of Log has just been made by the express lane: the
	// first execution makes no request, and fails as that attempt did, so that Temporal goes on
	// from there with its retry policy.
	HandedOver bool `json:"handedOver,omitempty"`
}

// AttemptLog is an attempt log in the input of SendWebhook. Its JSON is that of SendWebhookResult,
// {"attempts":[…]}. Releases up to 0.2 put a bare array there. They can't read the object, which is
// intended: they count every execution of the activity as a request, and expect the event beside
// the input.
type AttemptLog struct {
	Attempts []Attempt
	// legacy is whether a workflow of 0.2 or before made the input. Its retry policy names Held,
	// NoTurn and Unreadable as failures for the workflow.
	legacy bool
}

// MarshalJSON implements json.Marshaler.
func (l AttemptLog) MarshalJSON() ([]byte, error) {
	return json.Marshal(SendWebhookResult{Attempts: l.Attempts})
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *AttemptLog) UnmarshalJSON(data []byte) error {
	if l.legacy = bytes.HasPrefix(data, []byte("[")); l.legacy {
		return json.Unmarshal(data, &l.Attempts)
	}
	var log SendWebhookResult
	err := json.Unmarshal(data, &log)
	l.Attempts = log.Attempts
	return err
}

// UnmarshalJSON implements json.Unmarshaler. An input without a log is of 0.2 or before.
func (in *SendWebhookInput) UnmarshalJSON(data []byte) error {
	type plain SendWebhookInput
	given := plain{Log: AttemptLog{legacy: true}}
	err := json.Unmarshal(data, &given)
	*in = SendWebhookInput(given)
	return err
}

// SendWebhookResult is the result of a delivered webhook.
type SendWebhookResult struct {
	// Attempts is the complete attempt log; its last entry delivered. It is empty when the express
	// lane was closed and nothing was sent.
	Attempts []Attempt `json:"attempts"`
}

// EventPayload wraps an event for its way through Temporal: a payload with the very bytes that came
// in, marked as JSON so that the Temporal UI shows it. A data converter would re-encode them.
func EventPayload(event []byte) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)},
		Data:     event,
	})
}

// BodyPayload wraps the body of a request that a fetch event is about, as EventPayload wraps an
// event: it can be any bytes.
func BodyPayload(body []byte) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingBinary)},
		Data:     body,
	})
}

// SendWebhook posts the event to its destination: at most one HTTP request for each execution, with
// a fresh timestamp and signature. Its error is an application error of one of the failure types;
// those that end the activity have the attempt log as their details.
//
// The budget counts requests. Before one is made, the log with an entry for it is stored in
// Temporal; an execution that makes none adds no entry, however often Temporal repeats it. The
// event is the one that the delivery's run began with; only workflows of 0.2 and before pass it
// along.
func (a *Activities) SendWebhook(ctx context.Context, in SendWebhookInput, event converter.RawValue) (SendWebhookResult, error) {
	a.asking.Add(1)
	defer a.asking.Add(-1)
	s, err := a.newSending(ctx, in)
	if err != nil {
		return SendWebhookResult{}, err
	}
	if in.HandedOver && s.info.Attempt == 1 && !activity.HasHeartbeatDetails(ctx) {
		return s.takeOver(ctx)
	}
	if s.isInterrupted() {
		if last, ok := a.outcomes.recall(s.run()); ok && len(last.log) == len(s.log) && last.isKnown() {
			return s.finish(ctx, last)
		}
		if n := len(s.log); n > len(in.RetriesMs) {
			return SendWebhookResult{}, final(FailureUnavailable, s.log[n-1].Error, s.log)
		}
	}
	if limiter := a.limiter(a.current(in.Destination)); limiter != nil {
		var (
			done     func()
			comeBack time.Duration
		)
		a.aside(func() { done, comeBack = limiter.wait(ctx, activity.GetWorkerStopChannel(ctx)) })
		if done == nil {
			return s.notNow(FailureNoTurn, "the limits of "+in.Destination+" left no turn", comeBack)
		}
		defer done()
	}
	if a.Holds.Held(ctx, a.current(in.Destination)) {
		return SendWebhookResult{}, final(FailureHeld, "deliveries to "+in.Destination+" are held", s.log)
	}
	body := event.Payload().GetData()
	if !in.Log.legacy {
		body, err = a.Runs.Event(ctx, s.info.WorkflowExecution.ID, s.run())
		switch {
		case codec.Unreadable(err):
			return SendWebhookResult{}, err
		case err != nil:
			activity.GetLogger(ctx).Warn("the event could not be read from Temporal", "error", err)
			return SendWebhookResult{}, retryable(FailureNotSent, "the event could not be read from Temporal", soon)
		}
	}
	return s.send(ctx, body)
}

// sending is one execution of SendWebhook.
type sending struct {
	*Activities
	in   SendWebhookInput
	info activity.Info
	// log holds the attempts before this execution.
	log []Attempt
}

// newSending reads the log: of the input, or the later one that an earlier execution left in the
// heartbeat details. An error is a log that this worker has no key for.
func (a *Activities) newSending(ctx context.Context, in SendWebhookInput) (*sending, error) {
	s := &sending{Activities: a, in: in, info: activity.GetInfo(ctx), log: in.Log.Attempts}
	if activity.HasHeartbeatDetails(ctx) {
		err := activity.GetHeartbeatDetails(ctx, &s.log)
		if codec.Unreadable(err) {
			return nil, err
		}
		if err != nil {
			activity.GetLogger(ctx).Warn("attempt log is unreadable", "error", err)
		}
	}
	s.log = CompleteLog(s.log, len(s.log))
	if last, ok := a.outcomes.recall(s.run()); ok && last.unsent && s.isInterrupted() && len(s.log) == len(last.log)+1 {
		s.log = last.log
	}
	return s, nil
}

// isInterrupted is whether the log ends with an attempt whose outcome was not recorded. This worker
// may know it, if it could not report it.
func (s *sending) isInterrupted() bool {
	return len(s.log) > 0 && s.log[len(s.log)-1].Outcome == OutcomeInterrupted
}

func (s *sending) run() string { return s.info.WorkflowExecution.RunID }

// notNow ends the execution without a request; Temporal repeats it after the wait. A workflow of
// 0.2 or before has to schedule the activity once more.
func (s *sending) notNow(kind, reason string, wait time.Duration) (SendWebhookResult, error) {
	if s.in.Log.legacy {
		return SendWebhookResult{}, final(FailureNoTurn, reason, s.log)
	}
	return SendWebhookResult{}, retryable(kind, reason, wait)
}

// send makes one attempt and ends the execution with it.
func (s *sending) send(ctx context.Context, body []byte) (SendWebhookResult, error) {
	target, err := s.resolve(ctx, s.in.Webhook, s.info.WorkflowExecution.ID)
	if errors.Is(err, errNoSecrets) {
		return s.notNow(FailureNotSent, err.Error(), soon)
	}
	if err != nil {
		return SendWebhookResult{}, final(FailureDestinationUnknown, err.Error(), s.log)
	}
	log := append(s.log, s.newEntry(len(s.log)+1))
	if err := s.recordSending(ctx, log); err != nil {
		return s.unsent(ctx, err)
	}
	var o outcome
	s.aside(func() {
		s.whileAlive(ctx, log, func() { o = s.try(ctx, s.in.Webhook, target, body, log) })
	})
	if o.log == nil {
		return s.unsent(ctx, o.err)
	}
	s.outcomes.remember(s.run(), s.Now(), o)
	return s.finish(ctx, o)
}

// newEntry begins the log's entry for a request.
func (a *Activities) newEntry(number int) Attempt {
	return Attempt{Number: number, StartedAt: a.Now().UTC(), Outcome: OutcomeSending, Worker: a.Worker}
}

// recordSending stores the log before the request. It leaves the request its time, and half of the
// rest to the report after it.
func (s *sending) recordSending(ctx context.Context, log []Attempt) error {
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, (time.Until(deadline)-s.in.Timeout())/2)
		defer cancel()
	}
	return s.Journal.Sending(ctx, s.info.TaskToken, log)
}

// unsent ends an execution whose request was not made although its entry may have been stored: the
// log without the entry takes its place.
func (s *sending) unsent(ctx context.Context, err error) (SendWebhookResult, error) {
	if errors.Is(err, ErrGone) {
		return SendWebhookResult{}, activity.ErrResultPending
	}
	s.outcomes.remember(s.run(), s.Now(), outcome{log: s.log, unsent: true})
	failure := retryable(FailureNotSent, reasonNotSent, soon)
	switch {
	case temporal.IsCanceledError(err):
		failure = final(FailureCancelled, "the delivery was cancelled before the request", s.log)
	case s.in.Log.legacy:
		failure = final(FailureNoTurn, reasonNotSent, s.log)
	}
	return s.fail(ctx, s.log, failure)
}

// reasonNotSent is of FailureNotSent.
const reasonNotSent = "no request could be made: this worker or Temporal is overloaded, or the activity was paused"

// fail ends the execution with a failure and the log. It does so although the worker stops.
func (s *sending) fail(ctx context.Context, log []Attempt, failure error) (SendWebhookResult, error) {
	reporting := context.WithoutCancel(ctx)
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		reporting, cancel = context.WithDeadline(reporting, deadline)
		defer cancel()
	}
	return SendWebhookResult{}, s.Journal.Failed(reporting, s.info.TaskToken, log, failure)
}

// whileAlive runs a request, and shows Temporal meanwhile that the worker is alive.
func (s *sending) whileAlive(ctx context.Context, log []Attempt, request func()) {
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	log = slices.Clone(log)
	go func() {
		defer close(over)
		ticker := time.NewTicker(heartbeatInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				// A request under way is not stopped, so nothing depends on the answer.
				_ = s.Journal.Sending(ctx, s.info.TaskToken, log)
			}
		}
	}()
	request()
	cancel()
	<-over
}

// try makes the request that the last entry of the log is about, and enters what came of it.
// Without a log in the outcome, no request was made.
func (a *Activities) try(ctx context.Context, w Webhook, target Target, body []byte, log []Attempt) outcome {
	entry := &log[len(log)-1]
	verdict := a.attempt(ctx, w, target, body, entry)
	if verdict.notSent {
		a.Log.Warn("no request could be made", "destination", w.Destination, "event", w.EventID, "reason", verdict.reason)
		return outcome{err: retryable(FailureNotSent, verdict.reason, soon)}
	}
	took := a.Now().Sub(entry.StartedAt)
	entry.DurationMs = took.Milliseconds()
	entry.Outcome, entry.Error = verdict.outcome, verdict.reason
	a.Attempted(a.current(w.Destination), *entry)
	a.Holds.Report(ctx, a.current(w.Destination), !verdict.retry)
	a.lanes.report(a.current(w.Destination), !verdict.retry, took, a.Now())
	if verdict.outcome == OutcomeDelivered {
		return outcome{log: log}
	}
	defer func() { a.logFailure(w, *entry) }()
	retries := w.Retries()
	if !verdict.retry || entry.Number > len(retries) {
		return outcome{log: log, err: final(verdict.outcome, verdict.reason, log)}
	}
	wait := delay(retries[entry.Number-1], verdict.retryAfter, milliseconds(w.RetryAfterMaxMs), a.Random())
	entry.WaitMs = wait.Milliseconds()
	return outcome{log: log, err: retryable(verdict.outcome, verdict.reason, wait)}
}

// finish reports the outcome of the attempt.
func (s *sending) finish(ctx context.Context, o outcome) (SendWebhookResult, error) {
	if o.err == nil {
		return SendWebhookResult{Attempts: o.log}, nil
	}
	if isFinal(o.err) {
		return SendWebhookResult{}, o.err
	}
	last := o.log[len(o.log)-1]
	s.signal(ctx, last)
	return s.fail(ctx, o.log, s.asFailed(last, s.left(last)))
}

// asFailed is the failure of an attempt, which Temporal follows with another execution after the
// wait.
func (s *sending) asFailed(last Attempt, wait time.Duration) error {
	// No delay at all would mean the policy's own.
	return retryable(failureType(last), last.Error, max(wait, time.Millisecond))
}

// failureType is the type of the failure of an attempt.
func failureType(failed Attempt) string {
	if failed.Outcome == OutcomeInterrupted {
		return FailureUnavailable
	}
	return failed.Outcome
}

// left is how much of the wait after an attempt is left.
func (s *sending) left(last Attempt) time.Duration {
	wait := milliseconds(last.WaitMs)
	// The duration was cut to milliseconds, and no wait may be too short. Another worker's clock
	// may be behind.
	ended := last.StartedAt.Add(milliseconds(last.DurationMs + 1))
	return min(wait, wait-s.Now().Sub(ended))
}

// takeOver fails as the attempt in the express lane did, so that Temporal waits for what is left of
// the wait.
func (s *sending) takeOver(ctx context.Context) (SendWebhookResult, error) {
	log := slices.Clone(s.log)
	last := &log[len(log)-1]
	wait := s.left(*last)
	if last.WaitMs == 0 { // it was interrupted, and no wait was drawn
		wait = delay(s.in.Retries()[last.Number-1], 0, 0, s.Random())
		last.WaitMs = wait.Milliseconds()
	}
	return s.fail(ctx, log, s.asFailed(*last, wait))
}

// final is a failure that ends the activity.
func final(kind, reason string, log []Attempt) error {
	return temporal.NewApplicationErrorWithOptions(reason, kind, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{log}})
}

// isFinal is whether a failure ends the activity.
func isFinal(err error) bool {
	failure, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && failure.NonRetryable()
}

// retryable is a failure that Temporal follows with another execution after the wait.
func retryable(kind, reason string, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(reason, kind, temporal.ApplicationErrorOptions{NextRetryDelay: wait})
}

// attempt makes one request and classifies its reply, which it enters into entry. A request under
// way outlasts the end of the activity's context.
func (a *Activities) attempt(ctx context.Context, w Webhook, target Target, body []byte, entry *Attempt) verdict {
	if target.fetch == nil {
		body = gitbook.Redact(body, target.Redact)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Timeout())
	defer cancel()
	reply, err := post(ctx, a.transport(target), target, a.header(target, w.EventID, entry, body), body)
	entry.StatusCode, entry.Reply = reply.statusCode, reply.excerpt
	return classify(reply.statusCode, reply.header, err, a.Now())
}

// header makes the headers of a delivery: GitBook's, those of Standard Webhooks, Courier's and the
// target's own.
func (a *Activities) header(target Target, eventID string, entry *Attempt, body []byte) http.Header {
	header := make(http.Header, 8+len(target.Headers))
	own := map[string]string{"Content-Type": "application/json"}
	if target.fetch != nil {
		maps.Copy(header, target.fetch.Header)
		own = map[string]string{"X-GitBook-Request-Method": target.fetch.Method, "X-GitBook-Request-URL": target.fetch.URL}
	}
	for name, value := range target.Headers {
		header.Set(name, value)
	}
	// The names are written as their specifications do, not in Go's canonical case, for receivers
	// that compare them letter by letter.
	now := a.Now()
	maps.Copy(own, map[string]string{
		"User-Agent":                   "GitBook-Webhook",
		gitbook.SignatureHeader:        gitbook.Sign(now, body, target.Secrets...),
		gitbook.WebhookIDHeader:        eventID,
		gitbook.WebhookTimestampHeader: strconv.FormatInt(now.Unix(), 10),
		gitbook.WebhookSignatureHeader: gitbook.SignStandard(eventID, now, body, target.Secrets...),
		gitbook.AttemptHeader:          strconv.Itoa(entry.Number),
	})
	for name, value := range own {
		if value != "" {
			header[name] = []string{value}
		}
	}
	return header
}

// logFailure writes one line for an attempt that did not deliver.
func (a *Activities) logFailure(w Webhook, attempt Attempt) {
	a.Log.Info("attempt failed", "destination", w.Destination, "event", w.EventID, "attempt", attempt.Number,
		"outcome", attempt.Outcome, "reason", attempt.Error, "wait", milliseconds(attempt.WaitMs))
}

// signal reports a failed attempt to the workflow. A signal that is lost leaves the workflow's
// current details and search attribute behind, nothing else, so it is only logged.
func (s *sending) signal(ctx context.Context, attempt Attempt) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), signalTimeout)
	defer cancel()
	execution := s.info.WorkflowExecution
	if err := s.Signaler.SignalWorkflow(ctx, execution.ID, execution.RunID, AttemptFailedSignal, attempt); err != nil {
		activity.GetLogger(ctx).Warn("a failed attempt could not be reported to the workflow", "error", err)
	}
}
