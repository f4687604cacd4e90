package server

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// refusals are requests whose bodies of 2 MB the answers do not need.
var refusals = []struct {
	name, give string // the request's first lines
	want       int
}{
	{"too large", "POST /v1 HTTP/1.1\r\nAuthorization: Bearer " + eventToken + "\r\nContent-Type: multipart/form-data; boundary=b\r\n", 413},
	{"too large for a relay", "POST /webhooks/docs HTTP/1.1\r\nContent-Type: application/json\r\n", 413},
	{"without a token", "POST /v1 HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\n", 401},
	{"of another media type for a relay", "POST /webhooks/docs HTTP/1.1\r\nContent-Type: text/plain\r\n", 415},
	{"compressed", "POST /webhooks/docs HTTP/1.1\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n", 415},
	{"no route", "POST /no/route HTTP/1.1\r\n", 404},
	{"no source", "POST /webhooks/none HTTP/1.1\r\n", 404},
	{"another method", "PUT /v1 HTTP/1.1\r\n", 405},
	{"another version", "POST /v2 HTTP/1.1\r\n", 400},
	{"of another site", "POST /v1 HTTP/1.1\r\nAuthorization: Bearer " + eventToken + "\r\nSec-Fetch-Site: cross-site\r\n", 403},
	{"too large a job", "POST /api/redeliveries HTTP/1.1\r\nAuthorization: Bearer " + apiToken + "\r\n", 413},
	{"nothing to read", "GET /healthz HTTP/1.1\r\n", 200},
	{"nothing to read, a large answer", "GET /openapi.yaml HTTP/1.1\r\n", 200},
}

// A client that sends its whole request before it reads the answer, and closes then, gets the
// answer.
func TestClientsThatWriteFirstGetTheAnswer(t *testing.T) {
	t.Parallel()
	body := append([]byte("--b\r\n\r\n"), bytes.Repeat([]byte("x"), 2<<20)...)
	secure := openSecureDoor(t, func(*limits) {})
	c := parseConfig(t, doorConfiguration)
	doors := map[string]func() net.Conn{
		"plain": func() net.Conn { return nil },
		"TLS":   func() net.Conn { return tls.Client(secure.dial(t), withName(secure.clientConfig())) },
	}
	plain := openDoor(t, c, newLimits(c), time.Now)
	doors["plain"] = func() net.Conn { return plain.dial(t) }
	for name, dial := range doors {
		for _, tt := range refusals {
			for _, framing := range []string{"length", "chunks"} {
				for _, header := range []string{"", "Connection: close\r\n"} {
					t.Run(strings.Join([]string{name, tt.name, framing, header}, " "), func(t *testing.T) {
						t.Parallel()
						conn := dial()
						var request bytes.Buffer
						request.WriteString(tt.give + "Host: courier\r\n" + header)
						if framing == "length" {
							fmt.Fprintf(&request, "Content-Length: %d\r\n\r\n%s", len(body), body)
						} else {
							fmt.Fprintf(&request, "Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(body), body)
						}
						_, err := conn.Write(request.Bytes())
						require.NoError(t, err)
						answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
						require.NoError(t, err)
						defer answer.Body.Close()
						_, err = io.ReadAll(answer.Body)
						require.NoError(t, err)
						require.Equal(t, tt.want, answer.StatusCode)
					})
				}
			}
		}
	}
}

// So it does when the gate has no slot.
func TestClientsThatWriteFirstAreToldThatTheGateIsFull(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration+"max_requests: 1\n")
	l := patient(c)
	l.queue = 20 * time.Millisecond
	d := openDoor(t, c, l, time.Now)
	d.holdSlot(t, "/webhooks/docs")
	for range 4 {
		conn := d.dial(t)
		_, err := fmt.Fprintf(conn, "POST /webhooks/docs HTTP/1.1\r\nHost: courier\r\nContent-Type: application/json\r\nConnection: close\r\n"+
			"Content-Length: %d\r\n\r\n%s", 1<<20, strings.Repeat("x", 1<<20))
		require.NoError(t, err)
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Regexp(t, "^HTTP/1.1 503 ", string(answer))
	}
}

// A connection whose body was drained serves the next request.
func TestDrainedConnectionIsKept(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration)
	d := openDoor(t, c, newLimits(c), time.Now)
	conn := d.dial(t)
	reader := bufio.NewReader(conn)
	for range 3 {
		_, err := fmt.Fprintf(conn, "POST /v1 HTTP/1.1\r\nHost: courier\r\nContent-Length: %d\r\n\r\n%s", 2<<20, strings.Repeat("x", 2<<20))
		require.NoError(t, err)
		answer, err := http.ReadResponse(reader, nil)
		require.NoError(t, err)
		_, err = io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		require.Equal(t, 401, answer.StatusCode)
		require.False(t, answer.Close)
	}
}

// A client that waits for "100 Continue" is refused at once and keeps its body; one that does not
// wait, although it said so, gets the answer too.
func TestRefusalBeforeContinue(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration)
	l := patient(c)
	d := openDoor(t, c, l, time.Now)
	const head = "POST /v1 HTTP/1.1\r\nHost: courier\r\nExpect: 100-continue\r\nContent-Length: 2000000\r\n\r\n"
	for name, sent := range map[string]int{"waits": 0, "does not wait": 2_000_000} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := d.dial(t)
			_, err := io.WriteString(conn, head+strings.Repeat("x", sent))
			require.NoError(t, err)
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			require.NoError(t, err)
			defer answer.Body.Close()
			body, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.Equal(t, 401, answer.StatusCode)
			require.Contains(t, string(body), "token missing")
		})
	}
}

// A body that is too large is not drained.
func TestDrainIsBounded(t *testing.T) {
	t.Parallel()
	c := parseConfig(t, doorConfiguration)
	l := patient(c)
	l.drainBytes = 1 << 20
	d := openDoor(t, c, l, time.Now)
	conn := d.dial(t)
	_, err := io.WriteString(conn, "POST /v1 HTTP/1.1\r\nHost: courier\r\nContent-Length: 1000000000\r\n\r\n")
	require.NoError(t, err)
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for sent := 0; ; sent++ {
		require.Less(t, sent, 900, "the server reads on")
		if _, err := conn.Write(chunk); err != nil {
			require.NotErrorIs(t, err, net.ErrClosed)
			return
		}
	}
}

func TestRefusalOverHTTP2(t *testing.T) {
	t.Parallel()
	d := openSecureDoor(t, func(*limits) {})
	transport := &http.Transport{TLSClientConfig: d.clientConfig(), ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport, Timeout: patience}
	for _, expect := range []string{"", "100-continue"} {
		for _, path := range []string{"/v1", "/webhooks/docs", "/no/route"} {
			sent := io.Reader(bytes.NewReader(make([]byte, 2<<20)))
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.scheme+"://"+d.address+path, sent)
			require.NoError(t, err)
			r.ContentLength = 2 << 20
			if expect != "" {
				r.Header.Set("Expect", expect)
			}
			answer, err := client.Do(r)
			require.NoError(t, err)
			_, err = io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, 2, answer.ProtoMajor)
			require.Equal(t, map[string]int{"/v1": 401, "/webhooks/docs": 415, "/no/route": 404}[path], answer.StatusCode)
		}
	}
}
