package e2e_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// settingsAPI is GitBook's API: it takes the settings of installations.
type settingsAPI struct {
	*httptest.Server

	mu    sync.Mutex
	calls []string
}

func newSettingsAPI(t *testing.T) *settingsAPI {
	t.Helper()
	api := &settingsAPI{}
	api.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		api.mu.Lock()
		defer api.mu.Unlock()
		api.calls = append(api.calls, r.Method+" "+r.RequestURI+" "+r.Header.Get("Authorization")+" "+string(body))
		_, _ = io.WriteString(w, `{"object":"integration-installation"}`)
	}))
	t.Cleanup(api.Close)
	return api
}

func (a *settingsAPI) all() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

// screen is a ui_render event of the settings.
func screen(action, webhookURL, secret string) string {
	return fmt.Sprintf(`{"eventId":"evt_screen","type":"ui_render","componentId":"config","installationId":"inst_def456","spaceId":"space_xyz789",
  "props":{"installation":{},"spaceInstallation":{}},"context":{"theme":"light"},"action":{"action":%q},
  "state":{"webhookUrl":%q,"secret":%q,"space_content_updated":true,"site_view":false,"page_feedback":false}}`, action, webhookURL, secret)
}

// An administrator regenerates the secret in GitBook: GitBook gets the new one, and deliveries are
// signed with both, also after a restart, and also those that were accepted before.
func TestSecretIsReplacedOnTheSettingsScreen(t *testing.T) {
	t.Parallel()
	const newSecret, token = "bmV3IHNlY3JldCBvZiB0aGUgaW5zdGFsbGF0aW9uLi4", "MARK0OF0THE0API0TOKEN"
	const installation = "installation.inst_def456"
	api, receiver := newSettingsAPI(t), hooktest.New(t, status(200), status(500))
	yaml := "gitbook_api: " + api.URL + "\n" + configuration()
	gitBook := func(secret string) string {
		text := environment(receiver.URL, secret, token)
		text = strings.Replace(text, "https://api.gitbook.com", api.URL, 1)
		text = strings.Replace(text, `"name": "webhook",`, `"name": "webhook", "externalLinks": [{"url": "https://docs.example.com"}],`, 1)
		return strings.Replace(text, `{"space": "space_xyz789",`, `{"integration": "webhook", "installation": "inst_def456", "space": "space_xyz789",`, 1)
	}
	signedWith := func(secrets ...string) {
		t.Helper()
		request := receiver.Next(t, t.Context())
		header := request.Header.Get(gitbook.SignatureHeader)
		stamp, signatures, _ := strings.Cut(header, ",")
		require.Len(t, strings.Split(signatures, ","), len(secrets), header)
		for i, secret := range secrets {
			one := stamp + "," + strings.Split(signatures, ",")[i]
			require.NoError(t, gitbook.Verifier{Secrets: []string{secret}}.Verify(one, request.Body), "signature %d", i)
		}
	}
	data := t.TempDir()
	courier := start(t, data, yaml)

	drawn := courier.post(t, screen("", receiver.URL, installationSecret), gitBook(installationSecret))
	require.Equal(t, http.StatusOK, drawn.status, drawn.body)
	require.Contains(t, drawn.body, `"type":"element"`)
	require.NotContains(t, drawn.body, token)
	require.Empty(t, drawn.header.Get("Courier-Delivery"))

	courier.accept(t, event("space_content_updated", "evt_1"), gitBook(installationSecret))
	signedWith(installationSecret)
	courier.accept(t, event("space_content_updated", "evt_2"), gitBook(installationSecret))
	signedWith(installationSecret) // and fails

	saved := courier.post(t, screen("save.config", receiver.URL, newSecret), gitBook(installationSecret))
	require.Equal(t, http.StatusOK, saved.status, saved.body)
	require.Equal(t, `{"type":"complete"}`, saved.body)
	require.Empty(t, saved.header.Get("Courier-Delivery"))
	require.Equal(t, []string{
		"PATCH /v1/integrations/webhook/installations/inst_def456 Bearer " + token +
			fmt.Sprintf(` {"configuration":{"webhookUrl":%q,"secret":%q}}`, receiver.URL, newSecret),
		"PATCH /v1/integrations/webhook/installations/inst_def456/spaces/space_xyz789 Bearer " + token +
			` {"configuration":{"space_content_updated":true}}`,
	}, api.all())
	signedWith(newSecret, installationSecret) // the retry
	courier.awaitStatus(t, installation, "evt_2", "delivered")

	list, err := courier.client.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{})
	require.NoError(t, err)
	require.NotContains(t, list.String(), installationSecret)
	require.NotContains(t, list.String(), newSecret)
	courier.stop(t)

	courier = start(t, data, yaml)
	courier.accept(t, event("space_content_updated", "evt_3"), gitBook(newSecret))
	signedWith(newSecret, installationSecret)
	described, err := courier.client.DescribeWorkflowExecution(t.Context(), "overlap."+installation, "")
	require.NoError(t, err)
	info := described.GetWorkflowExecutionInfo()
	require.Equal(t, 24*time.Hour, info.GetExecutionTime().AsTime().Sub(info.GetStartTime().AsTime()))

	refused := courier.post(t, screen("save.config", receiver.URL, newSecret), strings.Replace(gitBook(newSecret), api.URL, "https://api.example.com", 1))
	require.Equal(t, http.StatusForbidden, refused.status, refused.body)
	require.Len(t, api.all(), 2)
	courier.stop(t)
	for _, file := range []string{"temporal.db", "temporal.db-wal"} {
		stored, err := os.ReadFile(data + "/" + file)
		if os.IsNotExist(err) {
			continue
		}
		require.NoError(t, err)
		for _, secret := range []string{token, installationSecret, newSecret} {
			require.NotContains(t, string(stored), secret, file)
		}
	}
}

// An overlap ends: then the new secret signs alone, and the workflow is over.
func TestOverlapOfSecretsEnds(t *testing.T) {
	t.Parallel()
	api, receiver := newSettingsAPI(t), hooktest.New(t)
	courier := start(t, t.TempDir(), "secret_overlap: 2s\ngitbook_api: "+api.URL+"\n"+configuration())
	text := strings.NewReplacer("https://api.gitbook.com", api.URL,
		`{"space": "space_xyz789",`, `{"integration": "webhook", "installation": "inst_def456", "space": "space_xyz789",`)
	saved := courier.post(t, screen("save.config", receiver.URL, "new"), text.Replace(environment(receiver.URL, "old", "token")))
	require.Equal(t, http.StatusOK, saved.status, saved.body)
	// The workflow's end is after the overlap's, since it was started after the time was taken.
	require.NoError(t, courier.client.GetWorkflow(t.Context(), "overlap.installation.inst_def456", "").Get(t.Context(), nil))
	courier.accept(t, event("space_content_updated", "evt_1"), environment(receiver.URL, "new", "token"))
	request := receiver.Next(t, t.Context())
	require.Equal(t, 1, strings.Count(request.Header.Get(gitbook.SignatureHeader), "v1="))
	require.NoError(t, gitbook.Verifier{Secrets: []string{"new"}}.Verify(request.Header.Get(gitbook.SignatureHeader), request.Body))
}
