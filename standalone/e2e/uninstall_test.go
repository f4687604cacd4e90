package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// What waits for an installation's own webhook is given up when GitBook uninstalls the integration
// from its space, and nothing else is.
func TestUninstallingGivesUpWhatWaits(t *testing.T) {
	t.Parallel()
	later := hooktest.Answer{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}}
	own := hooktest.New(t, later, later)
	audit := hooktest.New(t)
	courier := start(t, t.TempDir(), configuration(destination("audit", audit.URL, events("space_installation_deleted"))))
	environment := fmt.Sprintf(`{"installation":{"id":"inst_def456","configuration":{"webhookUrl":%q,"secret":"geheim"}},`+
		`"spaceInstallation":{"configuration":{"space_content_updated":true}}}`, own.URL)
	for space, event := range map[string]string{"space_1": "evt_1", "space_2": "evt_2"} {
		courier.accept(t, fmt.Sprintf(`{"eventId":%q,"type":"space_content_updated","spaceId":%q,"installationId":"inst_def456"}`, event, space), environment)
		courier.awaitWait(t, "installation.inst_def456", event)
	}

	deleted := `{"eventId":"evt_3","type":"space_installation_deleted","spaceId":"space_1","installationId":"inst_def456","previous":{}}`
	courier.accept(t, deleted, `{}`)
	require.Equal(t, "true", courier.post(t, deleted, `{}`).header.Get("Courier-Duplicate"), "another try of the sender")

	given := courier.awaitStatus(t, "installation.inst_def456", "evt_1", "undelivered")
	require.Equal(t, "InstallationDeleted: GitBook uninstalled the integration", given.Failure)
	courier.awaitStatus(t, "audit", "evt_3", "delivered")
	courier.awaitWait(t, "installation.inst_def456", "evt_2")
}
