package api

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/deliveries"
)

const (
	defaultLimit = 50
	maxLimit     = 200
	// maxFilter bounds a filter's text, in characters: no name, type or id is longer.
	maxFilter = 255
)

// Query is the query string of a list.
type Query struct {
	Filter deliveries.Filter
	// Limit is how many entries an answer has at most: 1 to 200, 50 by default.
	Limit int
	// Cursor is where the part begins; empty for the first.
	Cursor string
}

// QueryError says what is wrong with a query string or a job, for the caller to see.
type QueryError struct{ Problem string }

func (e *QueryError) Error() string { return e.Problem }

// ParseQuery reads the query string of a list. Its error is a *QueryError.
func ParseQuery(raw string) (Query, error) {
	q, err := parseQuery(raw)
	if err != nil {
		return q, &QueryError{err.Error()}
	}
	return q, nil
}

// parseQuery reads the query string of a list. It refuses unknown and empty parameters: a filter
// with a typing error, or of a variable that is not set, would otherwise list everything.
func parseQuery(raw string) (Query, error) {
	q := Query{Limit: defaultLimit}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, errors.New("the query string is not one")
	}
	f := &q.Filter
	var status, limit string
	texts := map[string]*string{
		"destination": &f.Destination, "type": &f.Type, "installation": &f.Installation, "space": &f.Space, "site": &f.Site,
		"status": &status, "limit": &limit,
	}
	times := map[string]*time.Time{"since": &f.Since, "until": &f.Until}
	for name, all := range values {
		text, isText := texts[name]
		moment, isTime := times[name]
		switch {
		case !isText && !isTime && name != "cursor":
			return q, fmt.Errorf("%q is not a parameter of this list", name)
		case len(all) > 1:
			return q, fmt.Errorf("%s is given twice", name)
		case name == "cursor" && all[0] == "":
			// The first page: a loop begins with the cursor that it does not have yet.
		case name == "cursor":
			// It is as long as Temporal makes it, and has no meaning outside.
			q.Cursor, err = all[0], checkPrintable(name, all[0])
		case isText:
			*text, err = all[0], checkText(name, all[0])
		default:
			if err = checkText(name, all[0]); err == nil {
				err = parseTime(moment, name, all[0])
			}
		}
		if err != nil {
			return q, err
		}
	}
	if f.Status = deliveries.Status(status); status != "" && !slices.Contains(deliveries.Statuses(), f.Status) {
		return q, fmt.Errorf("status must be one of %s", names(deliveries.Statuses()))
	}
	if !f.Since.IsZero() && !f.Until.IsZero() && !f.Since.Before(f.Until) {
		return q, errors.New("since must be before until")
	}
	if limit != "" {
		if q.Limit, err = strconv.Atoi(limit); err != nil || q.Limit < 1 || q.Limit > maxLimit {
			return q, fmt.Errorf("limit must be 1 to %d", maxLimit)
		}
	}
	return q, nil
}

// parsePage reads the query string of a list without filters, as parseQuery does.
func parsePage(raw string) (limit int, cursor string, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return 0, "", errors.New("the query string is not one")
	}
	for name := range values {
		if name != "limit" && name != "cursor" {
			return 0, "", fmt.Errorf("%q is not a parameter of this list", name)
		}
	}
	q, err := parseQuery(raw)
	return q.Limit, q.Cursor, err
}

// checkText refuses a text that can match nothing.
func checkText(name, text string) error {
	if len(text) > maxFilter {
		return fmt.Errorf("%s is longer than %d characters", name, maxFilter)
	}
	return checkPrintable(name, text)
}

func checkPrintable(name, text string) error {
	switch {
	case text == "":
		return fmt.Errorf("%s is empty; give it a value or leave it out", name)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("%s must be visible ASCII characters or spaces", name)
	default:
		return nil
	}
}

func parseTime(moment *time.Time, name, text string) (err error) {
	if *moment, err = time.Parse(time.RFC3339, text); err != nil {
		return fmt.Errorf("%s is not a time such as 2026-01-31T15:04:05Z", name)
	}
	return nil
}

func names(statuses []deliveries.Status) string {
	all := make([]string, len(statuses))
	for i, status := range statuses {
		all[i] = string(status)
	}
	return strings.Join(all, ", ")
}
