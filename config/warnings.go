package config

import (
	"slices"

	"github.com/gitbook-courier/courier/gitbook"
)

// NoticeTypes are the types of the events that Courier itself sends, which package workflows names.
func NoticeTypes() []string {
	return []string{"courier.delivery.undelivered", "courier.destination.held"}
}

// Warnings returns one line for each thing that is allowed and probably a mistake: an event type
// that neither GitBook nor Courier is known to send, and a configuration that delivers nothing. Log
// them at start. They show no secret and nothing that a variable or a file holds.
func (c Config) Warnings() []string {
	var warnings []string
	known := slices.Concat(gitbook.EventTypes(), NoticeTypes())
	for i, destination := range c.Destinations {
		for j, eventType := range destination.Events {
			if slices.Contains(known, eventType) {
				continue
			}
			field := item(member(item("destinations", i), "events"), j)
			// A text that is near a known type is no secret; any other text may be one.
			if near, ok := nearest(eventType, known); ok {
				warnings = append(warnings, field+": "+eventType+" is not a known event type; did you mean "+near+"?")
			} else {
				warnings = append(warnings, field+": is not a known event type; check its spelling")
			}
		}
	}
	if nothing := c.DeliversNothing(); nothing != "" {
		warnings = append(warnings, nothing)
	}
	return warnings
}

// DeliversNothing is the warning that there is nowhere to deliver to, or empty when there is.
func (c Config) DeliversNothing() string {
	if len(c.Destinations) > 0 || len(c.Installations) > 0 {
		return ""
	}
	return "destinations: there are none, and no installations, so nothing is delivered; add an entry to one of them"
}
