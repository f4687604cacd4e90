package deliveries

import (
	"time"

	"github.com/gitbook-courier/courier/activities"
)

// Status says where a delivery, or one of its runs, stands.
type Status string

// The statuses of a delivery. The first three are of running deliveries.
const (
	// Pending has not been attempted yet.
	Pending Status = "pending"
	// Retrying has failed and will be, or is being, attempted again.
	Retrying Status = "retrying"
	// Held waits until it is released.
	Held Status = "held"
	// Delivered was answered 2xx.
	Delivered Status = "delivered"
	// Undelivered was given up.
	Undelivered Status = "undelivered"
	// Cancelled was given up because someone asked for it.
	Cancelled Status = "cancelled"
)

// Statuses are all statuses.
func Statuses() []Status {
	return []Status{Pending, Retrying, Held, Delivered, Undelivered, Cancelled}
}

// Delivery is one event on its way to one destination, as the API shows it. Status, ClosedAt and
// Failure are those of the latest run.
type Delivery struct {
	Destination string `json:"destination"`
	EventID     string `json:"eventId"`
	Type        string `json:"type"`
	Status      Status `json:"status"`
	// Installation, Space and Site are the event's, absent when it has none.
	Installation string `json:"installation,omitempty"`
	Space        string `json:"space,omitempty"`
	Site         string `json:"site,omitempty"`
	// URL is the destination's, without its query string.
	URL string `json:"url"`
	// AcceptedAt is when the event came in, ClosedAt when the latest run ended.
	AcceptedAt time.Time  `json:"acceptedAt"`
	ClosedAt   *time.Time `json:"closedAt,omitempty"`
	// Failure says why the latest run did not deliver, or has not yet, such as "Rejected: 404 Not
	// Found".
	Failure string `json:"failure,omitempty"`
	// AttemptCount counts the attempts of the runs shown.
	AttemptCount int `json:"attemptCount"`
	// Runs are the first send and the redeliveries, the oldest first. A list shows the latest
	// alone.
	Runs []Run `json:"runs"`
}

// Attempt is one line of the attempt log of a run.
type Attempt = activities.Attempt

// Run is one run of a delivery: its first send, or a redelivery.
type Run struct {
	RunID string `json:"runId"`
	// Reason is one of the reasons of package workflows.
	Reason    string     `json:"reason"`
	Status    Status     `json:"status"`
	StartedAt time.Time  `json:"startedAt"`
	ClosedAt  *time.Time `json:"closedAt,omitempty"`
	// NextAttemptAt is when a waiting run tries again.
	NextAttemptAt *time.Time           `json:"nextAttemptAt,omitempty"`
	Attempts      []activities.Attempt `json:"attempts"`
}
