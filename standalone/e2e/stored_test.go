package e2e_test

import (
	"bytes"
	"encoding/base64"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

func TestDeliveryIsStoredUnderTheDocumentedNames(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
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
				require.EqualValues(t, 4, send.GetRetryPolicy().GetMaximumAttempts())
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

// readHistory is all that Temporal has recorded of a run, or of the latest one
// when runID is empty.
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

// Every secret that Courier is given bears a mark, and so does the event, which
// proves that a mark would be found.
func TestNoSecretIsStoredOrShown(t *testing.T) {
	t.Parallel()
	const (
		destinationMark  = "MARK0destination0secret0MARK"
		sourceMark       = "MARK0source0secret0MARK"
		urlMark          = "MARK0destination0query0MARK"
		headerMark       = "MARK0destination0header0MARK"
		installationMark = "MARK0installation0secret0MARK"
		queryMark        = "MARK0installation0query0MARK"
		tokenMark        = "MARK0gitbook0token0MARK"
		openMark         = "MARK0of0the0event0MARK"
	)
	secrets := []string{destinationMark, sourceMark, urlMark, headerMark, installationMark, queryMark, tokenMark}
	failing := hooktest.New(t, status(500), hooktest.Answer{Drop: true}, status(404))
	refused := "http://" + unusedAddress(t)
	data := t.TempDir()
	yaml := strings.ReplaceAll(configuration(
		destination("failing", failing.URL+"/a?key="+urlMark, "secrets: ["+destinationMark+"]", quick(), "headers: {Authorization: Bearer "+headerMark+"}"),
		destination("refused", refused+"/?key="+urlMark, "secrets: ["+destinationMark+"]", retries()),
	), sourceSecret, sourceMark)
	courier := start(t, data, yaml)
	given := `{"eventId":"evt_1","type":"space_content_updated","note":"` + openMark + `"}`
	courier.accept(t, given, environment(failing.URL+"/b?key="+queryMark, installationMark, tokenMark))

	var shown bytes.Buffer
	for _, name := range []string{"failing", "refused", "installation.inst_def456"} {
		courier.awaitClosed(t, name, "evt_1")
		shown.WriteString(courier.do(t, "GET", deliveryPath(name, "evt_1"), nil, nil).body)
		history := readHistory(t, courier.client, "evt_1@"+name, "")
		readable, err := protojson.Marshal(history)
		require.NoError(t, err)
		raw, err := proto.Marshal(history)
		require.NoError(t, err)
		require.Contains(t, string(raw), openMark)
		requireNone(t, "history of "+name, append(readable, raw...), secrets)
	}
	shown.WriteString(courier.do(t, "GET", "/api/deliveries", nil, nil).body)
	require.Contains(t, shown.String(), "evt_1")
	requireNone(t, "the API", shown.Bytes(), secrets)
	courier.stop(t)
	requireNone(t, "stdout and stderr", []byte(courier.stdout.String()+courier.stderr.String()), secrets)

	stored := readFolder(t, data)
	require.Contains(t, string(stored), openMark)
	requireNone(t, "the data folder", stored, secrets)
}

// readFolder is the content of all files of a folder.
func readFolder(t *testing.T, dir string) []byte {
	t.Helper()
	var all []byte
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all = append(all, content...)
		return err
	}))
	return all
}

// requireNone checks that none of the secrets is in a text, neither as it is
// nor in base64 of any alignment.
func requireNone(t *testing.T, where string, text []byte, secrets []string) {
	t.Helper()
	for _, secret := range secrets {
		forms := []string{secret}
		for shift := range 3 {
			// The characters at both ends depend on what is beside the secret.
			encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + secret))
			forms = append(forms, encoded[4:len(encoded)-4])
		}
		for _, form := range forms {
			require.False(t, bytes.Contains(text, []byte(form)), "%s is in %s", secret, where)
		}
	}
}
