package workflows

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.temporal.io/sdk/temporal"
)

// The record beside a delivery, by which it can be found and shown without reading its history.

// Memo fields of a Delivery.
const (
	// MemoReason is the run's reason.
	MemoReason = "reason"
	// MemoURL is the destination's URL without its query string.
	MemoURL = "url"
	// MemoAcceptedAt is when the event came in.
	MemoAcceptedAt = "acceptedAt"
	// MemoPrevious is the run id of the run before; absent in the first.
	MemoPrevious = "previousRunId"
	// MemoEventID is the event's id, where the workflow id holds a hash of it; absent otherwise.
	MemoEventID = "eventId"
)

// Memo is the memo of a run. previous is the run id of the run before, empty for the first.
func Memo(in DeliveryInput, previous string) map[string]any {
	memo := map[string]any{MemoReason: in.Reason, MemoURL: in.URL, MemoAcceptedAt: in.AcceptedAt.Format(time.RFC3339Nano)}
	if previous != "" {
		memo[MemoPrevious] = previous
	}
	if HasHashedID(in.EventID, in.Destination) {
		memo[MemoEventID] = in.EventID
	}
	return memo
}

// maxKeyword is the longest search attribute, in bytes, that every visibility store of Temporal
// takes.
const maxKeyword = 255

// Attributes are the search attributes of a run. What is empty is left out.
func Attributes(in DeliveryInput, installation, space, site string) temporal.SearchAttributes {
	var updates []temporal.SearchAttributeUpdate
	set := func(key temporal.SearchAttributeKeyKeyword, value string) {
		if value = keyword(value); value != "" {
			updates = append(updates, key.ValueSet(value))
		}
	}
	set(Destination, in.Destination)
	set(EventType, in.EventType)
	set(Installation, installation)
	set(Space, space)
	set(Site, site)
	return temporal.NewSearchAttributes(updates...)
}

// keyword makes what came from outside fit for a search attribute, so that an odd identifier costs
// its search, not the delivery.
func keyword(value string) string {
	value = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(value, ""))
	for len(value) > maxKeyword {
		_, size := utf8.DecodeLastRuneInString(value)
		value = value[:len(value)-size]
	}
	return value
}
