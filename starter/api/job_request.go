package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/body"
)

const (
	defaultPerSecond = 50
	maxPerSecond     = 1000
)

// jobBody is the body of POST /api/redeliveries, of any media type: curl -d says that JSON is a
// form.
var jobBody = body.Rules{MaxBytes: 16 << 10}

// jobRequest is what the body of POST /api/redeliveries says.
type jobRequest struct {
	destination, eventType string
	// status is delivered, undelivered or cancelled. Defaults to undelivered.
	status string
	// since and until bound when the deliveries' latest run started.
	since, until time.Time
	// all says that no filter is meant.
	all bool
	// dryRun counts, but sends nothing.
	dryRun bool
	// perSecond bounds how many deliveries are started in a second: 1 to 1000. Defaults to 50.
	perSecond int
}

// members are the names of a job's body. The filters come first.
var (
	filters = []string{"destination", "type", "status", "since", "until"}
	members = append(slices.Clone(filters), "all", "dryRun", "perSecond")
)

// errJobBody is the error of a body that is not one JSON object of known members.
var errJobBody = fmt.Errorf("body must be one JSON object with any of %s", strings.Join(members, ", "))

// ParseJob reads the body of POST /api/redeliveries. Its error is for the caller to see.
//
// An empty filter is refused, since it is more likely a variable that is not set than a wish for
// everything. A member whose name differs in case is refused, and so is one that is given twice:
// encoding/json would take both.
func ParseJob(body []byte) (deliveries.NewJob, error) {
	values, err := parseObject(body)
	if err != nil {
		return deliveries.NewJob{}, err
	}
	request := jobRequest{status: string(deliveries.Undelivered), perSecond: defaultPerSecond}
	given := make([]string, 0, len(values))
	for _, name := range members {
		value, ok := values[name]
		if !ok {
			continue
		}
		if err := request.set(name, value); err != nil {
			return deliveries.NewJob{}, err
		}
		if slices.Contains(filters, name) {
			given = append(given, name)
		}
	}
	switch {
	case request.all && len(given) > 0:
		return deliveries.NewJob{}, fmt.Errorf("all cannot be given together with %s; leave one of the two out", given[0])
	case !request.all && len(given) == 0:
		return deliveries.NewJob{}, fmt.Errorf(`give at least one of %s, or "all": true for every undelivered one`, strings.Join(filters, ", "))
	}
	return request.job()
}

// parseObject is the members of a JSON object of which each is there once.
func parseObject(body []byte) (map[string]json.RawMessage, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil, errJobBody
	}
	values := make(map[string]json.RawMessage)
	for decoder.More() {
		token, err := decoder.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errJobBody
		}
		if !slices.Contains(members, name) {
			return nil, fmt.Errorf("%q is not a field; %w", name, errJobBody)
		}
		if _, twice := values[name]; twice {
			return nil, fmt.Errorf("%s is given twice", name)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return nil, errJobBody
		}
		values[name] = value
	}
	if _, err := decoder.Token(); err != nil || len(bytes.TrimSpace(body[decoder.InputOffset():])) > 0 {
		return nil, errJobBody
	}
	return values, nil
}

// set takes one member of the body.
func (r *jobRequest) set(name string, value json.RawMessage) error {
	switch name {
	case "destination":
		return setText(&r.destination, name, value)
	case "type":
		return setText(&r.eventType, name, value)
	case "status":
		return setText(&r.status, name, value)
	case "since":
		return setTime(&r.since, name, value)
	case "until":
		return setTime(&r.until, name, value)
	case "all":
		return setValue(&r.all, name, value)
	case "dryRun":
		return setValue(&r.dryRun, name, value)
	default:
		return setValue(&r.perSecond, name, value)
	}
}

// setValue takes a member of any type. null is no value, though encoding/json would skip it.
func setValue[T any](field *T, name string, value json.RawMessage) error {
	if string(value) == "null" || json.Unmarshal(value, field) != nil {
		return fmt.Errorf("%s is of the wrong type", name)
	}
	return nil
}

func setText(field *string, name string, value json.RawMessage) error {
	if err := setValue(field, name, value); err != nil {
		return err
	}
	return checkText(name, *field)
}

func setTime(field *time.Time, name string, value json.RawMessage) error {
	var text string
	if err := setText(&text, name, value); err != nil {
		return err
	}
	return parseTime(field, name, text)
}

// job is the job that is asked for.
func (r *jobRequest) job() (deliveries.NewJob, error) {
	over := []deliveries.Status{deliveries.Delivered, deliveries.Undelivered, deliveries.Cancelled}
	switch {
	case !slices.Contains(over, deliveries.Status(r.status)):
		return deliveries.NewJob{}, fmt.Errorf("status must be one of %s; others are not over", names(over))
	case r.perSecond < 1 || r.perSecond > maxPerSecond:
		return deliveries.NewJob{}, fmt.Errorf("perSecond must be 1 to %d", maxPerSecond)
	case !r.until.IsZero() && !r.since.Before(r.until):
		return deliveries.NewJob{}, errors.New("since must be before until")
	}
	return deliveries.NewJob{
		Destination: r.destination, Type: r.eventType, Status: deliveries.Status(r.status),
		Since: r.since, Until: r.until, DryRun: r.dryRun, PerSecond: r.perSecond,
	}, nil
}
