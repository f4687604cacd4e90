package activities

import (
	"time"
)

// Outcomes of an attempt that are not failures. The others are the failure types of this package:
// they say why an attempt did not deliver.
const (
	// OutcomeDelivered means that the destination answered 2xx.
	OutcomeDelivered = "delivered"
	// OutcomeSending means that the request is under way.
	OutcomeSending = "sending"
	// OutcomeInterrupted means that the worker vanished during the attempt: the request may or may
	// not have reached the destination.
	OutcomeInterrupted = "interrupted"
)

// Attempt is one line of the attempt log: one HTTP request to a destination.
//
// The log travels with the heartbeat details of SendWebhook, because Temporal keeps only the last
// failure of a retried activity, and ends up in the workflow's result or failure.
type Attempt struct {
	// Number counts the attempts of a run, from 1.
	Number int `json:"number"`
	// StartedAt is when the request began, in UTC. It is the zero time when the worker vanished
	// before it could report the attempt.
	StartedAt time.Time `json:"startedAt,omitzero"`
	// DurationMs is how long the request took, in milliseconds.
	DurationMs int64 `json:"durationMs"`
	// StatusCode is the HTTP status of the reply, 0 when there was none.
	StatusCode int `json:"statusCode,omitempty"`
	// Outcome is one of the Outcome constants or one of the failure types.
	Outcome string `json:"outcome"`
	// Error says in words why the attempt did not deliver.
	Error string `json:"error,omitempty"`
	// Reply is the beginning of the reply's body, at most 1 KiB, without what it repeats of the
	// request's secrets.
	Reply string `json:"reply,omitempty"`
	// WaitMs is the wait that followed, in milliseconds; 0 after the last attempt.
	WaitMs int64 `json:"waitMs,omitempty"`
	// Worker is the identity of the worker that sent the request.
	Worker string `json:"worker,omitempty"`
}

// CompleteLog returns log with one entry for each of the attempts 1 to last: an attempt that was
// never reported, or is still under way in the log although it has ended, is entered as
// interrupted. Use it on a log that a worker left behind.
func CompleteLog(log []Attempt, last int) []Attempt {
	complete := make([]Attempt, 0, last)
	for i := range last {
		attempt := Attempt{Number: i + 1, Outcome: OutcomeSending}
		if i < len(log) {
			attempt = log[i]
		}
		if attempt.Outcome == OutcomeSending {
			attempt.Outcome = OutcomeInterrupted
			attempt.Error = "the worker stopped before it could report the outcome; the request may have arrived"
		}
		complete = append(complete, attempt)
	}
	return complete
}
