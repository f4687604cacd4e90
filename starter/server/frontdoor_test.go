package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
)

const (
	// patience is how long a test waits for what must happen.
	patience = 30 * time.Second

	bothToken  = "token-for-events-and-api"
	eventToken = "token-for-events-alone"
	apiToken   = "token-for-the-api-alone"

	doorSecret = "c2VjcmV0LW9mLXRoZS1yZWxheS1zb3VyY2Utb25l"
	doorEvent  = `{"eventId":"evt_1","type":"site_view"}`
)

const doorConfiguration = `
listen: 127.0.0.1:0
access:
  tokens: [` + bothToken + `]
  event_tokens: [` + eventToken + `]
  api_tokens: [` + apiToken + `]
sources: [{name: docs, secrets: [` + doorSecret + `]}]
destinations: [{name: search, url: 'https://example.com/', secrets: [one]}]
`

// logs collects what is logged.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// stored is a store that has everything.
type stored struct{}

func (stored) Start(context.Context, deliveries.NewDelivery) (bool, error) { return true, nil }

func (stored) GiveUpUninstalled(context.Context, deliveries.Uninstalled) error { return nil }

// door is the starter's server as it is, in front of a store that is not.
type door struct {
	scheme, address string
	logs            *logs
}

// patient are limits that no test reaches.
func patient(c config.Config) limits {
	l := newLimits(c)
	l.header, l.queue, l.body, l.contended, l.drain, l.write, l.idle = time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, time.Hour
	return l
}

func openDoor(t *testing.T, c config.Config, l limits, now func() time.Time) *door {
	t.Helper()
	d := &door{logs: new(logs)}
	log := slog.New(slog.NewTextHandler(d.logs, nil))
	keys, err := c.Keyring()
	require.NoError(t, err)
	ready := func(context.Context) error { return nil }
	handler := newRouter(c, testRooms(c, keys, stored{}, ready, log), newGates(l, log), log)
	s := newServer(c, handler, l, newCertificates(c, log, now), log, nil)
	require.NoError(t, s.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, s.http.Close()) })
	said := regexp.MustCompile(`msg=listening scheme=(\S+) address=(\S+)\n`).FindStringSubmatch(d.logs.String())
	require.NotNil(t, said)
	d.scheme, d.address = said[1], said[2]
	return d
}

func parseConfig(t *testing.T, yaml string) config.Config {
	t.Helper()
	c, err := config.Parse([]byte(yaml), "courier.yaml", config.Options{})
	require.NoError(t, err)
	return c
}

// dial opens a connection that fails rather than wait for ever.
func (d *door) dial(t *testing.T) net.Conn {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", d.address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return conn
}

// holdSlot begins a request whose body does not come, and returns when the server has begun to read
// it.
func (d *door) holdSlot(t *testing.T, path string) net.Conn {
	t.Helper()
	conn := d.dial(t)
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: courier\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\n"+
		"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n", path, bothToken)
	require.NoError(t, err)
	line, err := bufio.NewReader(conn).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "HTTP/1.1 100 Continue\r\n", line)
	return conn
}

func (d *door) client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: apitest.Transport(t, transport), Timeout: patience}
}

func send(t *testing.T, client *http.Client, r *http.Request) (status int, body string, header http.Header) {
	t.Helper()
	answer, err := client.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(data), answer.Header
}

// request is one of those that the starter serves, with a token.
func (d *door) request(t *testing.T, what, token string) *http.Request {
	t.Helper()
	method, path, _ := strings.Cut(what, " ")
	body, contentType := "", ""
	switch path {
	case "/v1":
		contentType = "multipart/form-data; boundary=b"
		body = "--b\r\nContent-Disposition: form-data; name=\"event\"\r\n\r\n" + doorEvent + "\r\n" +
			"--b\r\nContent-Disposition: form-data; name=\"environment\"\r\n\r\n{}\r\n--b--\r\n"
	case "/webhooks/docs":
		contentType, body = "application/json", doorEvent
	}
	r, err := http.NewRequestWithContext(t.Context(), method, d.scheme+"://"+d.address+path, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", contentType)
	if path == "/webhooks/docs" {
		r.Header.Set(gitbook.SignatureHeader, gitbook.Sign(time.Now(), []byte(body), doorSecret))
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r
}

func TestTokensOpenTheRoutesOfTheirKind(t *testing.T) {
	t.Parallel()
	const noDelivery = "/api/deliveries?limit=0"
	tests := []struct {
		give, giveToken string
		want            int
		wantBody        string
	}{
		{"POST /v1", bothToken, 200, "OK"},
		{"POST /v1", eventToken, 200, "OK"},
		{"POST /v1", apiToken, 401, `{"error":"token is not one of access.tokens or access.event_tokens"}`},
		{"POST /v1", "", 401, `{"error":"token missing; send Authorization: Bearer with one of access.tokens or access.event_tokens"}`},
		{"GET " + noDelivery, bothToken, 400, ""},
		{"GET " + noDelivery, apiToken, 400, ""},
		{"GET " + noDelivery, eventToken, 401, `{"error":"token is not one of access.tokens or access.api_tokens"}`},
		{"GET " + noDelivery, "", 401, `{"error":"token missing; send Authorization: Bearer with one of access.tokens or access.api_tokens"}`},
		{"POST /webhooks/docs", "", 200, "OK"},
		{"GET /healthz", "", 200, "OK"},
	}
	c := parseConfig(t, doorConfiguration)
	d := openDoor(t, c, newLimits(c), time.Now)
	for _, tt := range tests {
		t.Run(tt.give+" "+tt.giveToken, func(t *testing.T) {
			t.Parallel()
			status, body, _ := send(t, d.client(t), d.request(t, tt.give, tt.giveToken))
			require.Equal(t, tt.want, status, body)
			if tt.wantBody != "" {
				require.Equal(t, tt.wantBody, body)
			}
		})
	}
}

func TestEventsAndOperatorsHaveGatesOfTheirOwn(t *testing.T) {
	t.Parallel()
	const busy = `{"error":"too many requests at once; send it again"}`
	full := []string{"POST /v1", "POST /webhooks/docs"}
	tests := []struct {
		name     string
		giveHeld string
		wantBusy []string
		wantFree []string
	}{
		{"events", "/webhooks/docs", full, []string{"GET /api/deliveries?limit=0", "GET /healthz"}},
		{"operators", "/api/redeliveries", []string{"GET /api/deliveries?limit=0"}, append(full, "GET /healthz")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := parseConfig(t, doorConfiguration+"max_requests: 2\n")
			l := patient(c)
			l.operators, l.queue = 2, 20*time.Millisecond
			d := openDoor(t, c, l, time.Now)
			for range 2 {
				d.holdSlot(t, tt.giveHeld)
			}
			for _, what := range tt.wantBusy {
				status, body, header := send(t, d.client(t), d.request(t, what, bothToken))
				require.Equal(t, 503, status, what)
				require.Equal(t, busy, body)
				require.Equal(t, busyAfter, header.Get("Retry-After"))
			}
			require.Equal(t, 1, strings.Count(d.logs.String(), "too many requests at once"), "%s", d.logs)
			for _, what := range tt.wantFree {
				status, body, _ := send(t, d.client(t), d.request(t, what, bothToken))
				require.Contains(t, []int{200, 400}, status, body)
			}
			// A caller without access gets 401, without a Retry-After.
			for _, what := range []string{"POST /v1", "GET /api/deliveries?limit=0"} {
				status, body, _ := send(t, d.client(t), d.request(t, what, "another-token-of-the-tests"))
				require.Equal(t, 401, status, body)
			}
		})
	}
}
