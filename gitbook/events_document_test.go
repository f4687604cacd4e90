package gitbook_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

var update = flag.Bool("update", false, "rewrite docs/events.md")

const (
	eventsDocument = "../docs/events.md"

	deliveredByDefault = "By default, to every destination"
	deliveredIfListed  = "To destinations that list it"
	answeredOtherwise  = "To destinations that list it. GitBook wants more than an acknowledgement as the answer, which Courier does not give"
)

// documentation says of each type when it comes, the name of its payload, and where it goes.
var documentation = []struct{ eventType, comes, payload, goes string }{
	{gitbook.EventSiteView, "A page of a site was visited", "SiteView", deliveredByDefault},
	{gitbook.EventPageFeedback, "A visitor rated a page", "PageFeedback", deliveredByDefault},
	{gitbook.EventSpaceContentUpdated, "The primary content of a space changed", "SpaceContentUpdated", deliveredByDefault},
	{gitbook.EventInstallationSetup, "The integration was installed in an organization, or its installation changed", "InstallationSetup", deliveredIfListed},
	{gitbook.EventSpaceInstallationSetup, "The same, in a space", "InstallationSetup", deliveredIfListed},
	{gitbook.EventSiteInstallationSetup, "The same, on a site", "InstallationSetup", deliveredIfListed},
	{gitbook.EventInstallationDeleted, "The integration was uninstalled from an organization", "InstallationDeleted", deliveredIfListed},
	{gitbook.EventSpaceInstallationDeleted, "The same, from a space", "InstallationDeleted", deliveredIfListed},
	{gitbook.EventSiteInstallationDeleted, "The same, from a site", "InstallationDeleted", deliveredIfListed},
	{gitbook.EventSpaceGitSyncStarted, "A synchronization with Git began", "SpaceGitSync", deliveredIfListed},
	{gitbook.EventSpaceGitSyncCompleted, "A synchronization with Git ended", "SpaceGitSync", deliveredIfListed},
	{gitbook.EventSpaceVisibilityUpdated, "The visibility of a space changed", "SpaceVisibilityUpdated", deliveredIfListed},
	{gitbook.EventFetch, "An outside service called the integration's public address", "Fetch", "To destinations that list it, " +
		"as [the request that was made](formats.md#requests-of-outside-services)"},
	{gitbook.EventTask, "A task of the integration is due", "Task", answeredOtherwise},
	{gitbook.EventFetchPublishedScript, "A site asks for the integration's script", "FetchPublishedScript", answeredOtherwise},
	{gitbook.EventFetchVisitorAuthentication, "A visitor of a site logs in or out", "FetchVisitorAuthentication", answeredOtherwise},
	{gitbook.EventUIRender, "A component is to be drawn", "UIRender", "The settings screen (`config`) is " +
		"[answered at once](formats.md#the-settings-screen) and never delivered. Other components: to destinations that list it"},
	{gitbook.EventContentComputeDocument, "A generated page is to be computed", "ContentCompute", answeredOtherwise},
	{gitbook.EventContentComputeRevision, "Generated content is to be computed", "ContentCompute", answeredOtherwise},
}

// docs/events.md has every type with an example. With -update it is written.
func TestEventsDocument(t *testing.T) {
	t.Parallel()
	var types []string
	for _, entry := range documentation {
		types = append(types, entry.eventType)
	}
	require.ElementsMatch(t, gitbook.EventTypes(), types)

	want := eventsDocumentText(t)
	if *update {
		require.NoError(t, os.WriteFile(eventsDocument, []byte(want), 0o600))
	}
	got, err := os.ReadFile(eventsDocument)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "write it with: go test ./gitbook -run TestEventsDocument -update")
}

func eventsDocumentText(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, `# Event types

The %d types of GitBook's schema `+"`Event`"+` (npm package @gitbook/api 0.202.0), each with an example that is valid by it. A test generates this page.

A destination's `+"`events`"+` may list any of them, and types that GitBook adds later; a type that neither GitBook nor Courier knows is a warning
at start. [Courier's own notices](formats.md#out-notices) are types too. The Go package `+"`gitbook`"+` has a type for each payload: unknown members are
passed over and missing ones are empty. `+"`gitbook.Sample`"+` gives the examples.

| type | comes when | payload | goes |
| --- | --- | --- | --- |
`, len(documentation))
	for _, entry := range documentation {
		fmt.Fprintf(&b, "| [`%s`](#%[1]s) | %s | `gitbook.%s` | %s |\n", entry.eventType, entry.comes, entry.payload, entry.goes)
	}
	for _, entry := range documentation {
		var example bytes.Buffer
		require.NoError(t, json.Indent(&example, gitbook.Sample(entry.eventType, "evt_2345678901bcdefg"), "", "  "))
		fmt.Fprintf(&b, "\n## %s\n\n```json\n%s\n```\n", entry.eventType, example.String())
	}
	return b.String()
}
