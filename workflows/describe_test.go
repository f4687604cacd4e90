package workflows

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/activities"
)

func TestDetailsAreReadable(t *testing.T) {
	t.Parallel()
	in := DeliveryInput{Webhook: activities.Webhook{Destination: "search", EventID: "evt_1", RetriesMs: []int64{1000}}, EventType: "site_view", URL: "https://example.com/"}
	attempts := []activities.Attempt{{Number: 1, DurationMs: 12, Outcome: "Unavailable", Error: "503 Service Unavailable", WaitMs: 1000}, {Number: 2, Outcome: "delivered", StatusCode: 200}}
	details := describeDelivered(in, attempts)
	require.True(t, strings.HasPrefix(details, "**Delivered** at attempt 2.\n"), details)
	require.Contains(t, details, "| 1\u2003 | unknown\u2003 | 12 ms\u2003 | Unavailable: `503 Service Unavailable`\u2003 | 1s\u2003 |\n")

	in.Reason = ReasonRedelivery
	require.True(t, strings.HasPrefix(describeStart(in, nil), "**Redelivery.** **Sending.**\n"))
}

// Whatever comes from outside stays inside its quotation, in one line and in one cell.
func TestDetailsQuoteWhatComesFromOutside(t *testing.T) {
	t.Parallel()
	const hostile = "[a](https://evil.example) ![b](//evil.example/x.png) www.evil.example `c` <img src=x> | d\n# e"
	in := DeliveryInput{Webhook: activities.Webhook{Destination: hostile, EventID: hostile}, EventType: hostile, URL: hostile}
	details := describeUndelivered(in, []activities.Attempt{{Number: 1, Outcome: "Unavailable", Error: hostile}})
	const quoted = "`[a](https://evil.example) ![b](//evil.example/x.png) www.evil.example 'c'  img src=x  / d # e`"
	require.Equal(t, 5, strings.Count(details, quoted), details)
	outside := strings.ReplaceAll(details, quoted, "")
	require.NotContains(t, outside, "evil")
	require.Equal(t, 1, strings.Count(details, "| 1\u2003"))
}

func TestDryRunHasNothingStarted(t *testing.T) {
	t.Parallel()
	require.Equal(t, "**All counted.**", allDone(RedeliveryInput{DryRun: true}))
	require.Equal(t, "**All started.**", allDone(RedeliveryInput{}))
}
