package configscreen

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
)

// save stores the state with GitBook: URL and secret for the installation, the switches for its
// space or site. Everything is checked first, so a refusal has changed nothing.
func (s *Screen) save(ctx context.Context, state object, environment gitbook.Environment) error {
	access, err := s.api.access(environment)
	if err != nil {
		return err
	}
	address, ok := text(state.get(urlField))
	if !ok {
		return errIncomplete
	}
	address = trim(address)
	if err := checkURL(address); err != nil {
		return err
	}
	l := levelOf(environment)
	if !l.anyOn(state) {
		return respond.NewError(http.StatusBadRequest, "At least one event type must be enabled")
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
	return access.patch(ctx, calls)
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
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return respond.NewError(http.StatusBadRequest, "Please enter a valid webhook URL")
	}
	return nil
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
