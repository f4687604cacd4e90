package activities

import (
	"context"
	"errors"
	"net/http"
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

// AttemptFailedSignal is the signal by which SendWebhook tells its workflow of
// an attempt that failed and will be followed by another. Its argument is the
// Attempt. It serves the workflow's current details; the log that counts is
// the one in the heartbeat details.
const AttemptFailedSignal = "AttemptFailed"

// signalTimeout bounds the signal, which must not hold up the attempt's failure.
const signalTimeout = 2 * time.Second

// SendWebhookInput is what SendWebhook needs besides the event itself.
type SendWebhookInput struct {
	// Destination is the name of a configured destination, or InstallationPrefix
	// and the id of an installation.
	Destination string `json:"destination"`
	// EventID is the event's eventId, sent as webhook-id.
	EventID string `json:"eventId"`
	// Sealed is an installation's webhook, sealed by SealWebhook for the
	// delivery's workflow id; empty for configured destinations.
	Sealed []byte `json:"sealed,omitempty"`
	// Attempts are the attempts made before: the one in the express lane, or all
	// until the delivery was held. They count, and stay in the log.
	Attempts []Attempt `json:"attempts,omitempty"`
	// HandedOver says that the activity's own first attempt stands for the last
	// of Attempts, which the express lane made: it makes no request, and Temporal
	// goes on from there with its retry policy, count and all.
	HandedOver bool `json:"handedOver,omitempty"`
	// Repeated says that the delivery's first workflow task is done once more,
	// so that its attempt may have been made before.
	Repeated bool `json:"repeated,omitempty"`
	// Limited says that the destination had limits when the event was stored:
	// the activity then waits for its turn.
	Limited bool `json:"limited,omitempty"`
	// TimeoutMs bounds one attempt, in milliseconds.
	TimeoutMs int64 `json:"timeoutMs"`
	// RetriesMs are the waits between attempts, in milliseconds, before jitter.
	RetriesMs []int64 `json:"retriesMs"`
	// RetryAfterMaxMs bounds how far a Retry-After can lengthen a wait, in milliseconds.
	RetryAfterMaxMs int64 `json:"retryAfterMaxMs"`
}

// Timeout bounds one attempt.
func (in SendWebhookInput) Timeout() time.Duration { return milliseconds(in.TimeoutMs) }

// Retries are the waits between attempts, those of Attempts included.
func (in SendWebhookInput) Retries() []time.Duration {
	retries := make([]time.Duration, len(in.RetriesMs))
	for i, ms := range in.RetriesMs {
		retries[i] = milliseconds(ms)
	}
	return retries
}

func milliseconds(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// SendWebhookResult is the result of a delivered webhook.
type SendWebhookResult struct {
	// Attempts is the complete attempt log; its last entry delivered. It is empty
	// when the express lane was closed and nothing was sent.
	Attempts []Attempt `json:"attempts"`
}

// EventPayload wraps an event for its way through Temporal: a payload with the
// very bytes that came in, marked as JSON so that the Temporal UI shows it.
// A data converter would re-encode them.
func EventPayload(event []byte) converter.RawValue {
	return converter.NewRawValue(&commonpb.Payload{
		Metadata: map[string][]byte{converter.MetadataEncoding: []byte(converter.MetadataEncodingJSON)},
		Data:     event,
	})
}

// SendWebhook posts the event to its destination: one HTTP request for each
// attempt, with a fresh timestamp and signature. Its error is an application
// error of one of the failure types, with the attempt log as its details if it
// is final or the activity is a local one.
//
// As a local activity it is the express lane: the first attempt of a delivery,
// made in the delivery's first workflow task. A destination that has been slow
// or unable lately does not take it; the result then has no attempts.
func (a *Activities) SendWebhook(ctx context.Context, in SendWebhookInput, event converter.RawValue) (SendWebhookResult, error) {
	info := activity.GetInfo(ctx)
	switch {
	case info.IsLocalActivity:
		return a.express(ctx, in, event)
	case in.HandedOver && info.Attempt == 1:
		return SendWebhookResult{}, a.takeOver(ctx, in)
	}
	log, err := earlierAttempts(ctx, in, int(info.Attempt)-1)
	if err != nil {
		return SendWebhookResult{}, err
	}
	if limiter := a.limiters[in.Destination]; limiter != nil && in.Limited {
		done, err := limiter.wait(ctx, activity.GetWorkerStopChannel(ctx))
		if err != nil {
			return SendWebhookResult{}, final(FailureNoTurn, "the limits of "+in.Destination+" left no turn", log)
		}
		defer done()
	}
	return a.send(ctx, in, event, log)
}

// send makes one attempt and adds it to the log.
func (a *Activities) send(ctx context.Context, in SendWebhookInput, event converter.RawValue, log []Attempt) (SendWebhookResult, error) {
	info := activity.GetInfo(ctx)
	if a.Holds.Held(ctx, in.Destination) {
		return SendWebhookResult{}, final(FailureHeld, "deliveries to "+in.Destination+" are held", log)
	}
	log = append(log, Attempt{
		Number:    len(log) + 1,
		StartedAt: a.Now().UTC(),
		Outcome:   OutcomeSending,
		Worker:    a.Worker,
	})
	entry := &log[len(log)-1]
	// The first heartbeat goes out at once, so that an attempt is on record
	// before its request is. A local activity has none.
	activity.RecordHeartbeat(ctx, log)
	if err := ctx.Err(); err != nil {
		return SendWebhookResult{}, err // cancelled before the request
	}

	verdict := a.attempt(ctx, in, info.WorkflowExecution.ID, event.Payload().GetData(), entry)
	took := a.Now().Sub(entry.StartedAt)
	entry.DurationMs = took.Milliseconds()
	entry.Outcome, entry.Error = verdict.outcome, verdict.reason
	a.Holds.Report(ctx, in.Destination, !verdict.retry)
	a.lanes.report(in.Destination, !verdict.retry, took, a.Now())
	if verdict.outcome == OutcomeDelivered {
		return SendWebhookResult{Attempts: log}, nil
	}
	defer func() { a.logFailure(in, *entry) }()

	retries := in.Retries()
	if !verdict.retry || entry.Number > len(retries) {
		return SendWebhookResult{}, final(verdict.outcome, verdict.reason, log)
	}
	wait := delay(retries[entry.Number-1], verdict.retryAfter, milliseconds(in.RetryAfterMaxMs), a.Random())
	entry.WaitMs = wait.Milliseconds()
	if info.IsLocalActivity {
		return SendWebhookResult{}, handOver(verdict.outcome, log)
	}
	// This heartbeat is held back until the activity ends, and then precedes
	// the failure.
	activity.RecordHeartbeat(ctx, log)
	a.signal(ctx, info, *entry)
	return SendWebhookResult{}, retryable(verdict.outcome, verdict.reason, wait)
}

// final is a failure after which SendWebhook is not retried.
func final(kind, reason string, log []Attempt) error {
	return temporal.NewApplicationErrorWithOptions(reason, kind, temporal.ApplicationErrorOptions{NonRetryable: true, Details: []any{log}})
}

// retryable is a failure that Temporal follows with another attempt after the
// wait.
func retryable(kind, reason string, wait time.Duration) error {
	return temporal.NewApplicationErrorWithOptions(reason, kind, temporal.ApplicationErrorOptions{NextRetryDelay: wait})
}

// earlierAttempts is the log of the attempts before this one: those made
// before the activity, and failed ones of the activity itself, which left them
// in their heartbeats. An error is a log that this worker has no key for.
func earlierAttempts(ctx context.Context, in SendWebhookInput, failed int) ([]Attempt, error) {
	log := in.Attempts
	if activity.HasHeartbeatDetails(ctx) {
		err := activity.GetHeartbeatDetails(ctx, &log)
		if codec.Unreadable(err) {
			return nil, err
		}
		if err != nil {
			activity.GetLogger(ctx).Warn("attempt log is unreadable", "error", err)
		}
	}
	made := len(in.Attempts) + failed
	if in.HandedOver {
		made-- // the activity's first stands for the last of them
	}
	return CompleteLog(log, made), nil
}

// attempt makes one request and says what it came to; it enters what the reply
// was into entry.
func (a *Activities) attempt(ctx context.Context, in SendWebhookInput, deliveryID string, body []byte, entry *Attempt) verdict {
	target, err := a.resolve(in.Destination, deliveryID, in.Sealed)
	if err != nil {
		return verdict{outcome: FailureDestinationUnknown, reason: err.Error()}
	}
	body = gitbook.Redact(body, target.Redact)
	ctx, cancel := context.WithTimeout(ctx, in.Timeout())
	defer cancel()
	reply, err := post(ctx, a.transport(target), target, a.header(target, in.EventID, entry, body), body)
	entry.StatusCode, entry.Reply = reply.statusCode, reply.excerpt
	return classify(reply.statusCode, reply.header, err, a.Now())
}

// header makes the headers of a delivery: GitBook's, those of Standard
// Webhooks, Courier's and the target's own.
func (a *Activities) header(target Target, eventID string, entry *Attempt, body []byte) http.Header {
	header := make(http.Header, 8+len(target.Headers))
	for name, value := range target.Headers {
		header.Set(name, value)
	}
	// The names are written as their specifications do, not in Go's canonical
	// case, for receivers that compare them letter by letter.
	now := a.Now()
	for name, value := range map[string]string{
		"Content-Type":                 "application/json",
		"User-Agent":                   "GitBook-Webhook",
		gitbook.SignatureHeader:        gitbook.Sign(now, body, target.Secrets...),
		gitbook.WebhookIDHeader:        eventID,
		gitbook.WebhookTimestampHeader: strconv.FormatInt(now.Unix(), 10),
		gitbook.WebhookSignatureHeader: gitbook.SignStandard(eventID, now, body, target.Secrets...),
		gitbook.AttemptHeader:          strconv.Itoa(entry.Number),
	} {
		header[name] = []string{value}
	}
	return header
}

// logFailure writes one line for an attempt that did not deliver.
func (a *Activities) logFailure(in SendWebhookInput, attempt Attempt) {
	a.Log.Info("attempt failed", "destination", in.Destination, "event", in.EventID, "attempt", attempt.Number,
		"outcome", attempt.Outcome, "reason", attempt.Error, "wait", milliseconds(attempt.WaitMs))
}

// signal tells the workflow of a failed attempt. A signal that is lost leaves
// the workflow's current details behind, nothing else, so it is only logged.
func (a *Activities) signal(ctx context.Context, info activity.Info, attempt Attempt) {
	ctx, cancel := context.WithTimeout(ctx, signalTimeout)
	defer cancel()
	err := a.Signaler.SignalWorkflow(ctx, info.WorkflowExecution.ID, info.WorkflowExecution.RunID, AttemptFailedSignal, attempt)
	if err != nil && !errors.Is(err, context.Canceled) {
		activity.GetLogger(ctx).Warn("workflow was not told of a failed attempt", "error", err)
	}
}
