package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/api"
	"github.com/gitbook-courier/courier/starter/respond"
)

// filterNames are the fields of the list's form, as the API's parameters.
var filterNames = []string{"destination", "type", "status", "installation", "space", "site", "since", "until"}

// listPage is the list of deliveries.
type listPage struct {
	// Values are what the form says.
	Values     map[string]string
	Statuses   []deliveries.Status
	Deliveries []deliveries.Delivery
	// Next is the following page; empty after the last. First is the first, empty on it.
	Next, First string
	// Filtered is whether there is any filter.
	Filtered bool
	// Problem is what is wrong with the form.
	Problem string
}

// list serves GET /console/deliveries.
func (c *Console) list(w http.ResponseWriter, r *http.Request) error {
	page := listPage{Values: make(map[string]string), Statuses: deliveries.Statuses()}
	query := given(r.URL.Query(), append(slices.Clone(filterNames), "limit", "cursor"))
	for _, name := range filterNames {
		page.Values[name] = r.URL.Query().Get(name)
		page.Filtered = page.Filtered || page.Values[name] != ""
	}
	status := http.StatusOK
	parsed, err := api.ParseQuery(query.Encode())
	if err == nil {
		var found deliveries.Page
		if found, err = c.Deliveries.List(r.Context(), parsed.Filter, parsed.Limit, parsed.Cursor); err == nil {
			page.Deliveries = found.Deliveries
			page.Next = following(query, found.NextCursor)
			page.First = first(query)
		}
	}
	if err != nil {
		problem, ok := asProblem(err)
		if !ok {
			return err
		}
		page.Problem, status = problem, http.StatusBadRequest
	}
	return c.render(w, status, "deliveries", view{Title: "Deliveries", Section: "deliveries", Live: page.First == "" && status == http.StatusOK, Page: page})
}

// given are the parameters of a form that have a value. Times of a form have no zone: they are UTC.
func given(values url.Values, names []string) url.Values {
	query := make(url.Values)
	for _, name := range names {
		value := strings.TrimSpace(values.Get(name))
		if value == "" {
			continue
		}
		if name == "since" || name == "until" {
			value = withZone(value)
		}
		query.Set(name, value)
	}
	return query
}

// withZone completes a time such as 2026-01-31T15:04.
func withZone(value string) string {
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, value); err == nil {
			return t.Format(time.RFC3339)
		}
	}
	return value
}

func following(query url.Values, cursor string) string {
	if cursor == "" {
		return ""
	}
	query = clone(query)
	query.Set("cursor", cursor)
	return Path + "/deliveries?" + query.Encode()
}

// first is the first page, on any other.
func first(query url.Values) string {
	if !query.Has("cursor") {
		return ""
	}
	query = clone(query)
	query.Del("cursor")
	return Path + "/deliveries?" + query.Encode()
}

func clone(query url.Values) url.Values {
	copied := make(url.Values, len(query))
	for name, values := range query {
		copied[name] = slices.Clone(values)
	}
	return copied
}

// deliveryPage is one delivery.
type deliveryPage struct {
	deliveries.Delivery
	Means string
	Event shownEvent
	// EventMissing is whether the event could not be read.
	EventMissing bool
	// Runs are the delivery's, the newest first.
	Runs []runView
	// CanRedeliver, CanRetry and CanCancel say which acts the state permits.
	CanRedeliver, CanRetry, CanCancel bool
	// JSON is the delivery in the API, and RawEvent its event.
	JSON, RawEvent string
}

type runView struct {
	deliveries.Run
	// Word says why there is the run.
	Word string
	// Workflow is the run's page in Temporal's UI; empty when that is not known.
	Workflow string
}

// reasons are why there are runs.
var reasons = map[string]string{
	"event": "First send", "redelivery": "Redelivery", "test": "Sample, sent for a test", "notice": "Notice of Courier's own",
}

// delivery serves GET /console/deliveries/{destination}/{eventId}.
func (c *Console) delivery(w http.ResponseWriter, r *http.Request) error {
	destination, eventID := variable(r, "destination"), variable(r, "eventId")
	d, err := c.Deliveries.Get(r.Context(), destination, eventID)
	if err != nil {
		return err
	}
	over := slices.Contains([]deliveries.Status{deliveries.Delivered, deliveries.Undelivered, deliveries.Cancelled}, d.Status)
	page := deliveryPage{
		Delivery: d, Means: words[d.Status], CanRedeliver: over, CanRetry: d.Status == deliveries.Retrying || d.Status == deliveries.Held, CanCancel: !over,
		JSON: "/api/deliveries/" + url.PathEscape(destination) + "/" + url.PathEscape(eventID),
	}
	page.RawEvent = page.JSON + "/event"
	if event, isJSON, err := c.Deliveries.EventOf(r.Context(), destination, eventID); err == nil {
		page.Event = showEvent(event, isJSON)
	} else {
		page.EventMissing = true
	}
	for _, run := range slices.Backward(d.Runs) {
		shown := runView{Run: run, Word: reasons[run.Reason]}
		if shown.Word == "" {
			shown.Word = harmless(run.Reason)
		}
		if c.WorkflowURL != nil {
			shown.Workflow = c.WorkflowURL(destination, eventID, run.RunID)
		}
		page.Runs = append(page.Runs, shown)
	}
	return c.render(w, http.StatusOK, "delivery", view{Title: harmless(eventID) + " to " + destination, Section: "deliveries", Live: !over, Page: page})
}

// act serves POST /console/deliveries/{destination}/{eventId}/{act}.
func (c *Console) act(w http.ResponseWriter, r *http.Request) error {
	destination, eventID := variable(r, "destination"), variable(r, "eventId")
	var err error
	switch variable(r, "act") {
	case "redeliver":
		_, err = c.Deliveries.Redeliver(r.Context(), destination, eventID)
	case "retry":
		err = c.Deliveries.Retry(r.Context(), destination, eventID)
	case "cancel":
		err = c.Deliveries.Cancel(r.Context(), destination, eventID)
	default:
		err = respond.NewError(http.StatusNotFound, "no such act; it is redeliver, retry or cancel")
	}
	if err != nil {
		return err
	}
	seeOther(w, r, deliveryPath(destination, eventID))
	return nil
}
