package config

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/seal"
)

// anyInstallation is the id of the entry for every installation that has none of its own.
const anyInstallation = "*"

// installationPrefix begins the names of installations' destinations.
const installationPrefix = "installation."

var (
	namePattern           = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)
	eventTypePattern      = regexp.MustCompile(`^[a-z0-9_.]+$`)
	pathPattern           = regexp.MustCompile(`^[A-Za-z0-9_.$-]{1,100}$`) // What is shown of a path; others are allowed.
	visiblePattern        = regexp.MustCompile(`^[!-~]+$`)
	installationIDPattern = regexp.MustCompile(`^[!-.0-?A-~]+$`) // Visible ASCII without "/" and "@".
	hostPattern           = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
	headerNamePattern     = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // A token of RFC 9110, section 5.6.2.
)

// ownHeaders are set by Courier itself or are hop-by-hop. Lower case.
var ownHeaders = []string{
	"connection", "content-length", "content-type", "host", "keep-alive", "proxy-authenticate", "proxy-authorization",
	"proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent", "x-gitbook-signature",
}

// ownHeaderPrefixes begin the names of further headers that are Courier's own. Lower case.
var ownHeaderPrefixes = []string{"courier-", "webhook-"}

// Validate checks the whole configuration and returns every problem as a [*FieldError], joined, or
// nil. It has no effects and looks nothing up.
func (c Config) Validate() error { return join(c.problems()) }

func (c Config) problems() []*FieldError {
	var v validator
	v.server(c)
	for i, key := range c.SealingKeys {
		if _, err := seal.ParseKey(key.Reveal()); err != nil {
			v.add(item("sealing_keys", i), "", "%w", err)
		}
	}
	v.installations(c)

	names := unique{}
	for i, source := range c.Sources {
		field := item("sources", i)
		v.name(member(field, "name"), source.Name, names)
		v.secrets(member(field, "secrets"), source.Secrets)
	}
	names = unique{}
	for i, destination := range c.Destinations {
		v.destination(item("destinations", i), destination, names)
	}
	for i, destination := range c.Destinations {
		v.notify(member(item("destinations", i), "notify"), destination, names)
	}
	// Last, so that a former name is compared with every name, and notify knows current names
	// alone.
	for i, destination := range c.Destinations {
		v.formerly(member(item("destinations", i), "formerly"), destination.Formerly, names)
	}
	return v.problems
}

// A validator gathers problems. Its messages never hold the value, which may be a secret or come
// from a variable: the value is a field of its own, which can be left out.
type validator struct{ problems []*FieldError }

func (v *validator) add(field, value, format string, args ...any) {
	v.addFor("", field, value, format, args...)
}

// addFor is add for a field that is required only because of another one, the cause.
func (v *validator) addFor(cause, field, value, format string, args ...any) {
	v.problems = append(v.problems, &FieldError{Field: field, Value: value, Err: fmt.Errorf(format, args...), cause: cause})
}

// unique remembers in which field each value of a list was first seen.
type unique map[string]string

func (u unique) seen(value, field string) (first string, seen bool) {
	if first, seen = u[value]; !seen {
		u[value] = field
	}
	return first, seen
}

func (v *validator) installations(c Config) {
	if len(c.Installations) > 0 && len(c.SealingKeys) == 0 {
		v.addFor("installations", "sealing_keys", "",
			"is required, because installations are given; make a key with `openssl rand -base64 32`")
	}
	if len(c.SealingKeys) == 0 {
		for i, d := range c.Destinations {
			if events := member(item("destinations", i), "events"); slices.Contains(d.Events, gitbook.EventFetch) {
				v.addFor(events, "sealing_keys", "", "is required, because a destination gets fetch events, whose headers are sealed; "+
					"make a key with `openssl rand -base64 32`")
				break
			}
		}
	}
	ids := unique{}
	for i, installation := range c.Installations {
		field := member(item("installations", i), "id")
		id := installation.ID
		switch first, twice := ids.seen(id, field); {
		case id == "":
			v.add(field, "", `is required; give GitBook's id of it, or "*" for any installation`)
		case twice:
			v.add(field, id, "is the same as %s", first)
		case !ValidInstallationID(id):
			v.add(field, id, "is not an installation's id: 1 to %d visible ASCII characters without / and @", maxIDLength)
		}
	}
}

func (v *validator) name(field, name string, names unique) {
	switch first, twice := names.seen(name, field); {
	case name == "":
		v.add(field, "", "is required")
	case twice:
		v.add(field, name, "is the same as %s", first)
	case !namePattern.MatchString(name):
		v.add(field, name, "is not a name: 1 to 63 of a-z, 0-9 and -, not beginning with -")
	}
}

func (v *validator) formerly(field string, formerly []string, names unique) {
	if len(formerly) > maxFormerly {
		v.add(field, "", "has %d names; at most %d are allowed", len(formerly), maxFormerly)
	}
	for i, name := range formerly {
		field := item(field, i)
		if strings.HasPrefix(name, installationPrefix) {
			v.add(field, name, "is a name of an installation's destination, which cannot be renamed; leave it out")
			continue
		}
		v.name(field, name, names)
	}
}

func (v *validator) secrets(field string, secrets []Secret) {
	if len(secrets) == 0 {
		v.add(field, "", "needs at least one secret")
	}
	seen := unique{}
	for i, secret := range secrets {
		field := item(field, i)
		switch first, twice := seen.seen(secret.Reveal(), field); {
		case secret == "":
			v.add(field, "", "is empty")
		case twice:
			v.add(field, "", "is the same as %s", first)
		case strings.ContainsFunc(secret.Reveal(), unicode.IsControl):
			// A line break at the end of a file or variable is the usual cause of signatures that
			// never match.
			v.add(field, "", "holds a line break or another control character")
		}
	}
}

func (v *validator) destination(field string, d Destination, names unique) {
	v.name(member(field, "name"), d.Name, names)
	if err := checkURL(d.URL.Reveal()); err != nil {
		v.add(member(field, "url"), "", "%w", err)
	}
	v.secrets(member(field, "secrets"), d.Secrets)

	if len(d.Events) == 0 {
		v.add(member(field, "events"), "", "lists none; leave it out for those that GitBook documents")
	}
	v.entries(member(field, "events"), d.Events, eventTypePattern, "is not an event type, such as space_content_updated")
	v.entries(member(field, "spaces"), d.Spaces, visiblePattern, "is not a space's id")
	v.entries(member(field, "sites"), d.Sites, visiblePattern, "is not a site's id")

	v.duration(member(field, "timeout"), d.Timeout, minTimeout, maxTimeout)
	if len(d.Retries) > maxRetries {
		v.add(member(field, "retries"), "", "has %d waits; at most %d are allowed", len(d.Retries), maxRetries)
	}
	for i, wait := range d.Retries {
		v.duration(item(member(field, "retries"), i), wait, minRetry, maxRetry)
	}
	v.duration(member(field, "retry_after_max"), d.RetryAfterMax, 0, maxRetryAfter)
	if d.HoldAfter != 0 {
		v.duration(member(field, "hold_after"), d.HoldAfter, minHoldAfter, maxRetry)
	}
	if d.Concurrency < 0 || d.Concurrency > maxConcurrency {
		v.add(member(field, "concurrency"), strconv.Itoa(d.Concurrency), "is not between 0 (no limit) and %d", maxConcurrency)
	}
	if d.RateLimit != 0 && (d.RateLimit < minRateLimit || d.RateLimit > maxRateLimit) {
		rate := strconv.FormatFloat(d.RateLimit, 'g', -1, 64)
		v.add(member(field, "rate_limit"), rate, "is not between %v and %v requests a second", minRateLimit, maxRateLimit)
	}
	v.match(member(field, "match"), d.Match)
	v.redact(member(field, "redact"), d.Redact)
	v.headers(member(field, "headers"), d.Headers)
}

func (v *validator) match(field string, match map[string][]string) {
	if len(match) > maxMatches {
		v.add(field, "", "has more than %d paths", maxMatches)
	}
	for _, path := range slices.Sorted(maps.Keys(match)) {
		values, field := match[path], member(field, path)
		switch {
		case slices.Contains(strings.Split(path, "."), ""):
			v.add(field, "", "is not a path of members, such as visitor.language")
		case len(values) == 0:
			v.add(field, "", "has no values, so that nothing would be delivered; leave it out, or give at least one")
		case len(values) > maxMatchValues:
			v.add(field, "", "has more than %d values", maxMatchValues)
		case slices.Contains(values, ""):
			v.add(field, "", "has an empty value; give it a text, or \"*\" for any")
		}
	}
}

// kept are the members that every event must have.
var kept = []string{"eventId", "type"}

func (v *validator) redact(field string, paths []string) {
	for i, path := range paths {
		field := item(field, i)
		switch {
		case path == "":
			v.add(field, "", "is empty")
		case slices.Contains(strings.Split(path, "."), ""):
			v.add(field, path, "is not a path of members, such as visitor.ip")
		case slices.Contains(kept, path):
			v.add(field, path, "cannot be removed, because every event needs it; leave it out")
		}
	}
}

func (v *validator) notify(field string, d Destination, names unique) {
	_, known := names[d.Notify]
	switch {
	case d.Notify == "":
	case d.Notify == d.Name:
		v.add(field, d.Notify, "is the destination itself; name another one")
	case !known:
		v.add(field, d.Notify, "is not the name of a destination")
	}
}

func (v *validator) entries(field string, values []string, pattern *regexp.Regexp, problem string) {
	for i, value := range values {
		switch {
		case value == "":
			v.add(item(field, i), "", "is empty")
		case !pattern.MatchString(value):
			v.add(item(field, i), value, "%s", problem)
		}
	}
}

func (v *validator) duration(field string, d, least, most time.Duration) {
	if d < least || d > most {
		v.add(field, formatDuration(d), "is not between %s and %s", formatDuration(least), formatDuration(most))
	}
}

func (v *validator) headers(field string, headers Headers) {
	names := unique{}
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		field := member(field, name)
		lower := strings.ToLower(name)
		isOwn := slices.Contains(ownHeaders, lower) || slices.ContainsFunc(ownHeaderPrefixes, func(prefix string) bool {
			return strings.HasPrefix(lower, prefix)
		})
		switch first, twice := names.seen(lower, field); {
		case !headerNamePattern.MatchString(name):
			v.add(field, "", "is not a header name")
		case isOwn:
			v.add(field, "", "is a header that Courier or HTTP itself sets")
		case twice:
			v.add(field, "", "is the same header as %s", first)
		}
		if strings.ContainsFunc(headers[name], func(r rune) bool { return unicode.IsControl(r) && r != '\t' }) {
			v.add(field, "", "holds a line break or another control character")
		}
	}
}

// checkURL checks the URL of a destination. Blanks and non-ASCII characters are fine: they are encoded when an event
// is sent, as browsers do it. Its errors never show the URL.
func checkURL(raw string) error {
	if raw == "" {
		return errors.New("is required")
	}
	if len(raw) > maxURLBytes {
		return fmt.Errorf("is longer than %d bytes", maxURLBytes)
	}
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return errors.New("holds a line break or another control character")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		// The URL parser's own message could quote a part that is secret.
		return errors.New("is not an absolute http or https URL with a host")
	}
	if host := u.Hostname(); strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		if _, err := idna.Lookup.ToASCII(host); err != nil {
			return errors.New("has a host that is no domain name; write an international one in its ASCII form (xn--…)")
		}
	}
	if port := u.Port(); port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return errors.New("has a port that is not between 1 and 65535")
		}
	}
	if u.User != nil {
		return errors.New("must not hold a user name or password; send them as an Authorization header, in headers")
	}
	if strings.Contains(raw, "#") {
		return errors.New("must not have a fragment (#…), which is never sent")
	}
	return nil
}
