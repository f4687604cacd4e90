package workflows

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/activities"
)

// The words that the Temporal UI shows of a delivery: a summary line, and details in Markdown that
// change as it goes on.

// maxSummary keeps the summary within the 400 bytes that Temporal allows.
const maxSummary = 300

// Summary is the summary line of a delivery, such as "space_content_updated → search-index".
func Summary(eventType, destination string) string {
	return shorten(eventType + " → " + destination)
}

func shorten(summary string) string {
	if len(summary) > maxSummary {
		summary = strings.ToValidUTF8(summary[:maxSummary], "") + "…"
	}
	return summary
}

// HoldSummary is the summary line of the hold of a destination.
func HoldSummary(destination string) string {
	return "hold of " + destination
}

func describeStart(in DeliveryInput, attempts []activities.Attempt) string {
	return describe(in, "**Sending.**", attempts)
}

func describeHeld(in DeliveryInput, attempts []activities.Attempt) string {
	return describe(in, "**Held.** Deliveries to this destination wait until it is resumed.", attempts)
}

func describeRetry(in DeliveryInput, attempts []activities.Attempt) string {
	last := attempts[len(attempts)-1]
	when := ""
	if last.WaitMs > 0 {
		next := last.StartedAt.Add(time.Duration(last.DurationMs+last.WaitMs) * time.Millisecond)
		when = " at " + next.Format("2006-01-02 15:04:05 MST")
	}
	return describe(in, fmt.Sprintf("**Retrying.** Attempt %d of %d follows%s.", last.Number+1, len(in.RetriesMs)+1, when), attempts)
}

func describeDelivered(in DeliveryInput, attempts []activities.Attempt) string {
	return describe(in, fmt.Sprintf("**Delivered** at attempt %d.", len(attempts)), attempts)
}

func describeUndelivered(in DeliveryInput, attempts []activities.Attempt) string {
	return describe(in, fmt.Sprintf("**Undelivered.** Given up after %s.", count(len(attempts))), attempts)
}

func describeCancelled(in DeliveryInput, attempts []activities.Attempt) string {
	return describe(in, fmt.Sprintf("**Cancelled** after %s.", count(len(attempts))), attempts)
}

func describeUnknown(in DeliveryInput, attempts []activities.Attempt) string {
	return describe(in, "**Waiting.** No worker knows this destination; see the configuration of the workers.", attempts)
}

// undelivered is the message of the workflow's failure.
func undelivered(r DeliveryResult) string {
	message := "given up after " + count(len(r.Attempts))
	switch n := len(r.Attempts); {
	case r.Failure != "":
		message += ": " + r.Failure
	case n > 0:
		message += ": " + r.Attempts[n-1].Error
	}
	return message
}

// Why is why the delivery was given up, such as "Rejected: 404 Not Found"; empty when nothing says
// it.
func (r DeliveryResult) Why() string {
	if r.Failure != "" {
		return r.Failure
	}
	return LastFailure(r.Attempts)
}

// LastFailure says why the last attempt that failed did, such as "Rejected: 404 Not Found"; empty
// when none did.
func LastFailure(attempts []activities.Attempt) string {
	for _, attempt := range slices.Backward(attempts) {
		if attempt.Error != "" {
			return attempt.Outcome + ": " + attempt.Error
		}
	}
	return ""
}

func count(attempts int) string {
	if attempts == 1 {
		return "1 attempt"
	}
	return fmt.Sprintf("%d attempts", attempts)
}

func describe(in DeliveryInput, state string, attempts []activities.Attempt) string {
	var b strings.Builder
	if in.Reason == ReasonRedelivery {
		state = "**Redelivery.** " + state
	}
	fmt.Fprintf(&b, "%s\n\nEvent %s of type %s to %s, %s\n", state, code(in.EventID), code(in.EventType), code(in.Destination), code(in.URL))
	if len(attempts) == 0 {
		return b.String()
	}
	b.WriteString("\n" + row("#", "started", "took", "outcome", "waited") + "| --- | --- | --- | --- | --- |\n")
	for _, a := range attempts {
		b.WriteString(row(strconv.Itoa(a.Number), started(a), strconv.FormatInt(a.DurationMs, 10)+" ms", outcome(a), waited(a)))
	}
	return b.String()
}

// row is a row of a table. The Temporal UI shows cells without space between them, so each ends in an
// em space, which Markdown does not trim.
func row(cells ...string) string {
	return "| " + strings.Join(cells, "\u2003 | ") + "\u2003 |\n"
}

func started(a activities.Attempt) string {
	if a.StartedAt.IsZero() {
		return "unknown"
	}
	return a.StartedAt.Format("2006-01-02 15:04:05.000")
}

func outcome(a activities.Attempt) string {
	if a.Outcome == activities.OutcomeDelivered {
		return fmt.Sprintf("delivered, %d", a.StatusCode)
	}
	if a.Error == "" {
		return a.Outcome
	}
	return a.Outcome + ": " + code(a.Error)
}

func waited(a activities.Attempt) string {
	if a.WaitMs == 0 {
		return ""
	}
	return (time.Duration(a.WaitMs) * time.Millisecond).String()
}

// code quotes what came from outside. Inside the quotation neither a link nor an image nor anything
// else of Markdown comes alive, not even an address that stands there as it is.
func code(s string) string {
	return "`" + strings.Map(plain, s) + "`"
}

func plain(r rune) rune {
	switch r {
	case '`':
		return '\''
	case '|':
		return '/'
	case '\n', '\r', '<', '>':
		return ' '
	}
	return r
}
