package ingress_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var withFetch = strings.Replace(configuration, "destinations:\n", `destinations:
  - name: hooks
    url: https://hooks.example.com/
    secrets: [one]
    events: [fetch]
    match: {request.method: [post]}
`, 1)

const installed = `{"installation":{"id":"inst_1","configuration":{"webhookUrl":"https://own.example.com/","secret":"s"}},"spaceInstallation":{"configuration":{"fetch":true}}}`

func fetchOf(method string) string {
	return `{"eventId":"evt_1","type":"fetch","installationId":"inst_1","request":{"method":"` + method + `","url":"https://x/","headers":{"authorization":"t"}}}`
}

// A fetch event goes to destinations that list it, and to no installation's own webhook.
func TestFetch(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, withFetch)
	body := "\x00\xff\r\n" + strings.Repeat("x", 4092) // as much as max_body_bytes allows
	check(t, handler, s, runtimeRequest(t, field{"event", fetchOf("post")}, field{"environment", installed}, field{"fetch-body", body}), ok("evt_1@hooks"))
	n := s.started["evt_1@hooks"]
	require.Equal(t, body, string(n.Fetch.Body))
	require.Equal(t, http.Header{"Authorization": {"t"}}, n.Fetch.Header)
	require.NotContains(t, fmt.Sprintf("%v %+v", n.Fetch.FetchRequest, n.Fetch.FetchRequest), "authorization")

	// Its filters apply to the event.
	handler, s = newHandler(t, withFetch)
	check(t, handler, s, runtimeRequest(t, field{"event", fetchOf("get")}, field{"environment", installed}), ok())
	// A body that is too large, and an event of another kind that is.
	check(t, handler, s, runtimeRequest(t, field{"event", fetchOf("post")}, field{"environment", "{}"}, field{"fetch-body", body + "x"}), refused(413, "body is larger than 4096 bytes (max_body_bytes)"))
	large, err := json.Marshal(map[string]string{"eventId": "evt_2", "type": "site_view", "installationId": "inst_1", "url": strings.Repeat("x", 4096)})
	require.NoError(t, err)
	check(t, handler, s, eventRequest(t, string(large)), refused(413, "body is larger than 4096 bytes (max_body_bytes)"))
	// No request at all.
	check(t, handler, s, eventRequest(t, `{"eventId":"evt_1","type":"fetch","installationId":"inst_1"}`), refused(400, "event.request: is not one JSON object"))
	// A relay does not pass the request on.
	check(t, handler, s, relayRequest(t, fetchOf("post")), refused(400, "Integration does not handle HTTP requests"))
}

func TestFetchWithoutABody(t *testing.T) {
	t.Parallel()
	handler, s := newHandler(t, withFetch)
	check(t, handler, s, eventRequest(t, fetchOf("post")), ok("evt_1@hooks"))
	require.True(t, bytes.Equal(nil, s.started["evt_1@hooks"].Fetch.Body))
}
