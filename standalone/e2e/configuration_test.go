package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// Secrets in the form of GitBook's. Destinations sign with hooktest.Secret unless a test says
// otherwise.
const (
	sourceSecret       = "c291cmNlIHNlY3JldCwgZm9yIHRlc3RzIG9ubHkgLi4"
	installationSecret = "aW5zdGFsbGF0aW9uIHNlY3JldCBmb3IgdGVzdHMgLi4"
)

// noEnvironment is of an event without an installation.
const noEnvironment = "{}"

// configuration is a courier.yaml with these destinations, one source and the installation of the
// documented payloads.
func configuration(destinations ...string) string {
	yaml := `listen: 127.0.0.1:0
installations:
  - id: inst_def456
    allow_private: true
sources:
  - name: docs
    secrets: [` + sourceSecret + `]
`
	if len(destinations) > 0 {
		yaml += "destinations:\n" + strings.Join(destinations, "")
	}
	return yaml
}

// destination is an entry of the destinations. Further keys, as "key: value", take the place of its
// own.
func destination(name, url string, more ...string) string {
	keys := []string{"name: " + name, "url: " + url}
	for _, usual := range []string{"secrets: [" + hooktest.Secret + "]", "allow_private: true"} {
		key, _, _ := strings.Cut(usual, " ")
		if !slices.ContainsFunc(more, func(other string) bool { return strings.HasPrefix(other, key) }) {
			keys = append(keys, usual)
		}
	}
	return "  - " + strings.Join(append(keys, more...), "\n    ") + "\n"
}

// events is the key of a destination that wants these types alone.
func events(types ...string) string { return "events: [" + strings.Join(types, ", ") + "]" }

// retries is the key of a destination's own schedule.
func retries(waits ...time.Duration) string {
	all := make([]string, len(waits))
	for i, wait := range waits {
		all[i] = wait.String()
	}
	return "retries: [" + strings.Join(all, ", ") + "]"
}

// quick is a schedule that does not keep a test waiting.
func quick() string { return retries(100*time.Millisecond, 200*time.Millisecond, 400*time.Millisecond) }

// event is a small event of a type.
func event(eventType, id string) string {
	return fmt.Sprintf(`{"eventId":%q,"type":%q,"spaceId":"space_xyz789","installationId":"inst_def456","revisionId":"rev_abc123def456"}`, id, eventType)
}

// environment is what GitBook's runtime sends beside an event, with a webhook of the installation's
// own and every switch on. The token stands where GitBook's own secrets are.
func environment(webhookURL, secret, token string) string {
	return fmt.Sprintf(`{
  "apiEndpoint": "https://api.gitbook.com",
  "apiTokens": {"integration": %[3]q, "installation": %[3]q},
  "authToken": %[3]q,
  "signingSecrets": {"integration": %[3]q, "installation": %[3]q},
  "secrets": {"CLIENT_SECRET": %[3]q},
  "integration": {"name": "webhook", "version": 1},
  "installation": {"id": "inst_def456", "status": "active", "configuration": {"webhookUrl": %[1]q, "secret": %[2]q}},
  "spaceInstallation": {"space": "space_xyz789", "configuration": {"space_content_updated": true, "site_view": true, "page_feedback": true}}
}`, webhookURL, secret, token)
}
