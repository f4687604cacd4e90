package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

func TestDeliveryIsStoredUnderTheDocumentedNames(t *testing.T) {
	t.Parallel()
	// A failed first attempt becomes an activity that is recorded.
	receiver := hooktest.New(t, status(500), status(500))
	courier := start(t, t.TempDir(), configuration(destination("search-index", receiver.URL)))
	given := documented("evt")["page_feedback"]
	courier.accept(t, given, environment(receiver.URL, hooktest.Secret, "token"))
	for _, name := range []string{"search-index", "installation.inst_def456"} {
		id := "evt_feedback@" + name
		courier.awaitStatus(t, name, "evt_feedback", "delivered")
		described, err := courier.client.DescribeWorkflowExecution(t.Context(), id, "")
		require.NoError(t, err)
		info := described.GetWorkflowExecutionInfo()
		require.Equal(t, "Delivery", info.GetType().GetName())
		require.Equal(t, "gitbook-webhooks", info.GetTaskQueue())
		require.Equal(t, enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED, info.GetStatus())

		attributes := make(map[string]string)
		for key, payload := range info.GetSearchAttributes().GetIndexedFields() {
			if key == "BuildIds" {
				continue // Temporal's own.
			}
			require.Equal(t, "Keyword", string(payload.GetMetadata()["type"]), key)
			attributes[key] = text(t, payload)
		}
		require.Equal(t, map[string]string{
			"WebhookDestination":  name,
			"GitBookEventType":    "page_feedback",
			"GitBookInstallation": "inst_def456",
			"GitBookSpace":        "space_xyz789",
			"GitBookSite":         "site_abc123",
		}, attributes)
		require.Equal(t, "page_feedback → "+name, text(t, described.GetExecutionConfig().GetUserMetadata().GetSummary()))

		scheduled := 0
		for _, recorded := range readHistory(t, courier.client, id, "").GetEvents() {
			if send := recorded.GetActivityTaskScheduledEventAttributes(); send != nil {
				scheduled++
				require.Equal(t, "SendWebhook", send.GetActivityType().GetName())
				policy := send.GetRetryPolicy()
				require.Equal(t, time.Second, policy.GetInitialInterval().AsDuration())
				require.InDelta(t, 2, policy.GetBackoffCoefficient(), 0)
				require.Zero(t, policy.GetMaximumAttempts(), "the attempt log ends the schedule")
				require.Contains(t, policy.GetNonRetryableErrorTypes(), "Rejected")
				require.Len(t, send.GetInput().GetPayloads(), 1, "the event is in the history once")
				require.Equal(t, "POST "+receiver.URL, text(t, recorded.GetUserMetadata().GetSummary()))
			}
		}
		require.Equal(t, 1, scheduled)
		input := readHistory(t, courier.client, id, "").GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetInput()
		require.Equal(t, given, string(input.GetPayloads()[1].GetData()))
	}
}

func text(t *testing.T, payload *commonpb.Payload) string {
	t.Helper()
	var s string
	require.NoError(t, converter.GetDefaultDataConverter().FromPayload(payload, &s))
	return s
}

// readHistory is all that Temporal has recorded of a run, or of the latest one when runID is empty.
func readHistory(t *testing.T, c client.Client, id, runID string) *historypb.History {
	t.Helper()
	var history historypb.History
	events := c.GetWorkflowHistory(t.Context(), id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		recorded, err := events.Next()
		require.NoError(t, err)
		history.Events = append(history.Events, recorded)
	}
	return &history
}
