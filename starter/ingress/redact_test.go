package ingress_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is redacted for one destination is stored in full for another.
func TestWhatIsRedactedIsNotStored(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, `
sources:
  - name: docs
    secrets: [c2VjcmV0LW9mLXRoZS1yZWxheS1zb3VyY2Utb25l]
destinations:
  - name: analytics
    url: https://example.com/one
    secrets: [one]
    redact: [visitor.ip, visitor.cookies]
  - name: archive
    url: https://example.com/two
    secrets: [two]
`)
	const event = `{"eventId":"evt_1", "type":"site_view", "visitor":{"ip":"203.0.113.7", "userAgent":"<u>", "cookies":{"k":"v"}}}`
	recorder := httptest.NewRecorder()

	handler.ServeHTTP(recorder, relayRequest(t, event))

	require.Equal(t, http.StatusOK, recorder.Code, recorder.Body)
	require.Equal(t, `{"eventId":"evt_1", "type":"site_view", "visitor":{"userAgent":"<u>"}}`, string(s.started["evt_1@analytics"].Event))
	require.Equal(t, event, string(s.started["evt_1@archive"].Event))
}
