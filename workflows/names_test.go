package workflows_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/workflows"
)

// These names are stored in Temporal: changing one would orphan what is there.
func TestStoredNames(t *testing.T) {
	t.Parallel()
	require.Equal(t, "gitbook-webhooks", workflows.TaskQueue)
	require.Equal(t, "evt_1@search-index", workflows.DeliveryID("evt_1", "search-index"))
	require.Equal(t, "installation.inst_1", workflows.InstallationDestination("inst_1"))
	require.Equal(t, "Undelivered", workflows.FailureUndelivered)
	require.Equal(t, "AttemptFailed", activities.AttemptFailedSignal)
	require.Equal(t,
		[]string{"Unavailable", "RateLimited", "Rejected", "Redirected", "AddressForbidden", "DestinationUnknown"},
		[]string{
			activities.FailureUnavailable, activities.FailureRateLimited, activities.FailureRejected,
			activities.FailureRedirected, activities.FailureAddressForbidden, activities.FailureDestinationUnknown,
		})
	var attributes []string
	for _, key := range workflows.SearchAttributes() {
		attributes = append(attributes, key.GetName())
		require.Equal(t, "Keyword", key.GetValueType().String())
	}
	require.Equal(t, []string{"WebhookDestination", "GitBookEventType", "GitBookInstallation", "GitBookSpace", "GitBookSite", "WebhookRedelivery", "WebhookState"}, attributes)
}

func TestParseDeliveryID(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give                       string
		wantEvent, wantDestination string
		wantOK                     bool
	}{
		{"evt_1@search-index", "evt_1", "search-index", true},
		{"a@b@search-index", "a@b", "search-index", true},
		{"evt 1/2@installation.inst_1", "evt 1/2", "installation.inst_1", true},
		{"redelivery.1", "", "", false},
		{"@search-index", "", "", false},
		{"evt_1@", "", "", false},
		{"", "", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			event, destination, ok := workflows.ParseDeliveryID(tt.give)
			require.Equal(t, tt.wantOK, ok)
			require.Equal(t, tt.wantEvent, event)
			require.Equal(t, tt.wantDestination, destination)
		})
	}
}
