package e2e_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// A request that an outside service made to the integration's address arrives as it was made, also
// after the delivery has waited and when it is sent again, and its credentials are shown nowhere.
func TestFetchArrivesAsItWasMade(t *testing.T) {
	t.Parallel()
	hooks := hooktest.New(t, hooktest.Answer{Status: http.StatusServiceUnavailable, Body: "got Bearer streng-geheim"})
	courier := start(t, t.TempDir(), configuration(destination("hooks", hooks.URL, events("fetch"))))
	const body = "\x00\xff\r\n{\"not\": \"an event\"}"
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("fetch-body", "body")
	require.NoError(t, err)
	_, err = part.Write([]byte(body))
	require.NoError(t, err)
	require.NoError(t, w.WriteField("event", `{"eventId":"evt_fetch","type":"fetch","installationId":"inst_def456","request":{"method":"post","url":"https://x/y?z=1",`+
		`"headers":{"authorization":"Bearer streng-geheim","x-github-event":"push","connection":"close"}}}`))
	require.NoError(t, w.WriteField("environment", "{}"))
	require.NoError(t, w.Close())
	accepted(t, courier.do(t, http.MethodPost, "/v1", http.Header{"Content-Type": {w.FormDataContentType()}}, form.Bytes()))
	courier.awaitStatus(t, "hooks", "evt_fetch", "delivered")
	courier.act(t, "hooks", "evt_fetch", "redeliver")
	hooks.Next(t, t.Context())
	hooks.Next(t, t.Context())
	hooks.Next(t, t.Context())
	require.Len(t, hooks.Requests(), 3)
	for _, request := range hooks.Requests() {
		require.Equal(t, body, string(request.Body))
		require.NoError(t, request.Verified)
		require.Equal(t, "Bearer streng-geheim", request.Header.Get("Authorization"))
		require.Equal(t, "push", request.Header.Get("X-Github-Event"))
		require.Equal(t, "https://x/y?z=1", request.Header.Get("X-Gitbook-Request-Url"))
		require.Empty(t, request.Header.Values("Content-Type"))
	}
	shown := courier.do(t, http.MethodGet, deliveryPath("hooks", "evt_fetch")+"/event", nil, nil)
	require.Equal(t, body, shown.body)
	require.Equal(t, "application/octet-stream", shown.header.Get("Content-Type"))
	require.NotContains(t, courier.do(t, http.MethodGet, deliveryPath("hooks", "evt_fetch"), nil, nil).body, "geheim")
}
