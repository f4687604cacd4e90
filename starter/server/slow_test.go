package server

import (
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// trickle goes on sending a byte at a time until the other side has had enough.
func trickle(conn net.Conn, b byte) {
	ticker := time.NewTicker(2 * time.Millisecond)
	defer ticker.Stop()
	for range ticker.C {
		if _, err := conn.Write([]byte{b}); err != nil {
			return
		}
	}
}

// While many slow clients hang on, for as long as the limits let them, a good request is answered.
func TestGoodRequestsPassSlowClients(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration+"max_requests: 4\n")
	l := patient(c)
	l.contended, l.drain = 20*time.Millisecond, 20*time.Millisecond
	l.connections = 100
	d := openDoor(t, c, l, time.Now)
	for range c.MaxRequests {
		held := d.holdSlot(t, "/webhooks/docs")
		go trickle(held, ' ')
	}
	for range 20 {
		body := d.dial(t)
		_, err := io.WriteString(body, "POST /webhooks/docs HTTP/1.1\r\nHost: courier\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{")
		require.NoError(t, err)
		go trickle(body, ' ')

		chunks := d.dial(t)
		_, err = io.WriteString(chunks, "POST /webhooks/docs HTTP/1.1\r\nHost: courier\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n{")
		require.NoError(t, err)
		go trickle(chunks, ' ')

		deaf := d.dial(t)
		_, err = io.WriteString(deaf, strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: courier\r\n\r\n", 50))
		require.NoError(t, err)
	}
	for range 200 {
		d.dial(t)
		header := d.dial(t)
		_, err := io.WriteString(header, "POST /v1 HTTP/1.1\r\nX: ")
		require.NoError(t, err)
		go trickle(header, 'x')
	}
	for _, what := range []string{"GET /healthz", "POST /v1", "POST /webhooks/docs", "GET /api/deliveries?limit=0"} {
		status, body, _ := send(t, d.client(t), d.request(t, what, bothToken))
		require.Contains(t, []int{200, 400}, status, body)
	}
}

func TestSlowClientsAreCut(t *testing.T) {
	t.Parallel()
	const head = "POST /webhooks/docs HTTP/1.1\r\nHost: courier\r\nContent-Type: application/json\r\n"
	const late = `{"error":"the body did not arrive in time; send it again"}`
	tests := []struct {
		name        string
		give        string
		giveTrickle byte
		want        string // a pattern of the answers
	}{
		{"says nothing", "", 0, "^$"},
		{"begins a request", "GET", 0, "^(HTTP/1.1 400 (?s:.*))?$"},
		{"headers trickle", "GET /healthz HTTP/1.1\r\nX: ", 'x', "^$"},
		{"body does not come", head + "Content-Length: 10\r\n\r\n", 0, "^HTTP/1.1 408 (?s:.*)" + late + "$"},
		{"body trickles", head + "Content-Length: 100000\r\n\r\n{", ' ', "^HTTP/1.1 408 (?s:.*)" + late + "$"},
		{"chunks trickle", head + "Transfer-Encoding: chunked\r\n\r\nffff\r\n", ' ', "^HTTP/1.1 408 (?s:.*)" + late + "$"},
		{
			"form trickles", "POST /v1 HTTP/1.1\r\nHost: courier\r\nAuthorization: Bearer " + bothToken +
				"\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n--b\r\nX: ", 'x', "^HTTP/1.1 408 (?s:.*)" + late + "$",
		},
		{"says nothing after a request", "GET /healthz HTTP/1.1\r\nHost: courier\r\n\r\n", 0, "^HTTP/1.1 200 (?s:.*)OK$"},
	}
	c := parseConfig(t, doorConfiguration)
	l := newLimits(c)
	l.header, l.queue, l.body, l.idle = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	d := openDoor(t, c, l, time.Now)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn := d.dial(t)
			_, err := io.WriteString(conn, tt.give)
			require.NoError(t, err)
			if tt.giveTrickle != 0 {
				go trickle(conn, tt.giveTrickle)
			}
			answer, err := io.ReadAll(conn)
			// Bytes that arrive after the server closed reset the connection.
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Regexp(t, tt.want, string(answer))
		})
	}
}

// A request that is answered without its body does not hold its connection, even when all other
// limits are far away.
func TestSlowBodiesThatTheAnswerDoesNotNeedAreCut(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration)
	l := patient(c)
	l.drain = 20 * time.Millisecond
	d := openDoor(t, c, l, time.Now)
	for what, status := range map[string]string{"POST /v1": "401", "POST /v2": "400", "PUT /v1": "405", "POST /no/route": "404", "GET /healthz": "200", "GET /api/deliveries": "401"} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			conn := d.dial(t)
			_, err := io.WriteString(conn, what+" HTTP/1.1\r\nHost: courier\r\nContent-Length: 100000\r\n\r\n")
			require.NoError(t, err)
			go trickle(conn, ' ')
			answer, err := io.ReadAll(conn)
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			require.Regexp(t, "^HTTP/1.1 "+status, string(answer))
		})
	}
}

// However little time there was for it before, with a slot a body has its own.
func TestSlotGivesABodyItsTime(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration)
	l := patient(c)
	l.drain = time.Nanosecond
	d := openDoor(t, c, l, time.Now)
	for _, what := range []string{"POST /v1", "POST /webhooks/docs"} {
		status, body, _ := send(t, d.client(t), d.request(t, what, eventToken))
		require.Equal(t, 200, status, body)
	}
}

func TestOneConnectionTooManyCostsASilentOne(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration)
	l := patient(c)
	l.connections = 2
	d := openDoor(t, c, l, time.Now)
	first := d.dial(t)
	d.dial(t)
	status, _, _ := send(t, d.client(t), d.request(t, "GET /healthz", ""))
	require.Equal(t, 200, status)
	_, err := io.ReadAll(first)
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
}

// A client that does not read what it has asked for loses its connection.
func TestClientThatReadsNoAnswerIsCut(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration)
	l := newLimits(c)
	l.write = 100 * time.Millisecond
	d := openDoor(t, c, l, time.Now)
	conn := d.dial(t)
	request := []byte(strings.Repeat("GET /openapi.yaml HTTP/1.1\r\nHost: courier\r\n\r\n", 100))
	for {
		if _, err := conn.Write(request); err != nil {
			require.NotErrorIs(t, err, os.ErrDeadlineExceeded)
			return
		}
	}
}
