package configscreen

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
)

// save stores the state with GitBook: URL and secret for the installation, the switches for its
// space or site. Everything is checked first, so a refusal has changed nothing. A save that has
// begun goes on when GitBook hangs up: half of one would be worse than a late one.
func (s *Screen) save(ctx context.Context, state object, environment gitbook.Environment) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
	defer cancel()
	if err := s.api.check(environment); err != nil {
		return err
	}
	calls, err := plan(state, environment)
	if err != nil {
		return err
	}
	requests, err := s.api.requests(ctx, environment, calls)
	if err != nil {
		return err
	}
	if err := s.keepSecret(ctx, state, environment); err != nil {
		return err
	}
	return s.api.patch(requests)
}

// plan is the calls that save a state, unless it cannot be saved.
func plan(state object, environment gitbook.Environment) ([]call, error) {
	address, ok := text(state.get(urlField))
	if !ok {
		return nil, errIncomplete
	}
	address = trim(address)
	if err := checkURL(address); err != nil {
		return nil, err
	}
	l := levelOf(environment)
	if !l.anyOn(state) {
		return nil, respond.NewError(http.StatusBadRequest, "At least one event type must be enabled")
	}
	calls := []call{{
		path:          []string{"integrations", idAt(environment, "integration", "name"), "installations", idAt(environment, "installation", "id")},
		configuration: state.with(urlField, quote(address)).pick(urlField, secretField),
	}}
	if l.name != "" {
		calls = append(calls, call{
			path: []string{
				"integrations", idAt(environment, l.installation, "integration"),
				"installations", idAt(environment, l.installation, "installation"),
				l.path, idAt(environment, l.installation, l.id),
			},
			configuration: l.configuration(state),
		})
	}
	return calls, nil
}

// keepSecret lets the secret that GitBook has stored sign for a while longer, if the state has
// another one.
func (s *Screen) keepSecret(ctx context.Context, state object, environment gitbook.Environment) error {
	old, _ := text(storedSecret(environment))
	by, _ := text(state.get(secretField))
	if old == "" || by == "" || old == by {
		return nil
	}
	if err := s.overlaps.Keep(ctx, environment.InstallationID, old, by); err != nil {
		return fmt.Errorf("keep the secret that is replaced: %w", err)
	}
	return nil
}

// anyOn is whether a switch of the level is on. An organization has none that could be.
func (l level) anyOn(state object) bool {
	on := l.name == ""
	for _, s := range l.switches {
		on = on || truthy(state.get(s.field))
	}
	return on
}

// configuration is the switches of the level.
func (l level) configuration(state object) object {
	names := make([]string, len(l.switches))
	for i, s := range l.switches {
		names[i] = s.field
	}
	return state.pick(names...)
}

// checkURL refuses what no event can be delivered to, in GitBook's words.
func checkURL(address string) error {
	if address == "" {
		return respond.NewError(http.StatusBadRequest, "Webhook URL is required")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || !validHost(u.Hostname()) || !validPort(u.Port()) {
		return respond.NewError(http.StatusBadRequest, "Please enter a valid webhook URL")
	}
	return nil
}

func validPort(port string) bool {
	number, err := strconv.ParseUint(port, 10, 16)
	return port == "" || err == nil && number > 0
}

// validHost is whether a host is an IP address or a domain name, which may be an international one.
// A name that ends in a number is neither (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	if strings.ContainsFunc(host, func(r rune) bool { return r > unicode.MaxASCII }) {
		var err error
		if host, err = idna.Lookup.ToASCII(host); err != nil {
			return false
		}
	}
	name := strings.TrimSuffix(host, ".")
	last := name[strings.LastIndexByte(name, '.')+1:]
	isNumber := strings.Trim(last, "0123456789") == "" // No name at all is one too.
	return !isNumber && !strings.ContainsAny(name, " \"#%/:<>?@[\\]^`{|}")
}

// trim is JavaScript's.
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return r == '\uFEFF' || r != '\u0085' && unicode.IsSpace(r) })
}

// idAt is a string of the environment, empty when there is none.
func idAt(environment gitbook.Environment, path ...string) string {
	raw, _ := environment.Field(path...)
	id, _ := text(raw)
	return id
}
