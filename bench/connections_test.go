package main

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const okReply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK"

// peer is a server that treats its first connection as the first script says, and so on; then it
// takes no more. done is closed when the last has ended.
func peer(t *testing.T, scripts ...func(conn net.Conn, reader *bufio.Reader)) (c *connections, done <-chan struct{}) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all sync.WaitGroup
	ended := make(chan struct{})
	all.Go(func() {
		defer close(ended)
		for _, script := range scripts {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			script(conn, bufio.NewReader(conn))
			_ = conn.Close()
		}
	})
	c = &connections{address: listener.Addr().String()}
	t.Cleanup(func() {
		c.close()
		_ = listener.Close()
		all.Wait()
	})
	return c, ended
}

// takeOne reads a request to its end and answers it.
func takeOne(conn net.Conn, reader *bufio.Reader, answer string) {
	request, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, request.Body)
	_, _ = io.WriteString(conn, answer)
}

func TestConnectionIsUsedAgain(t *testing.T) {
	t.Parallel()
	c, _ := peer(t, func(conn net.Conn, reader *bufio.Reader) {
		for range 3 {
			takeOne(conn, reader, okReply)
		}
	})
	for _, p := range []payload{small(anySpace), large(anySpace, typed), small(anySpace)} {
		status, err := c.post(t.Context(), p)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, status)
	}
}

func TestConnectionThatEndedWhileIdleIsReplaced(t *testing.T) {
	t.Parallel()
	first := make(chan struct{})
	c, _ := peer(t,
		func(conn net.Conn, reader *bufio.Reader) {
			takeOne(conn, reader, okReply)
			_ = conn.Close()
			close(first)
		},
		func(conn net.Conn, reader *bufio.Reader) { takeOne(conn, reader, okReply) },
	)
	_, err := c.post(t.Context(), small(anySpace))
	require.NoError(t, err)
	<-first
	status, err := c.post(t.Context(), small(anySpace))
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status)
}

func TestNewConnectionIsNotReplaced(t *testing.T) {
	t.Parallel()
	c, _ := peer(t, func(_ net.Conn, reader *bufio.Reader) { _, _ = http.ReadRequest(reader) })
	_, err := c.post(t.Context(), small(anySpace))
	require.ErrorIs(t, err, errUnanswered)
}

func TestLastAnswerOfAConnection(t *testing.T) {
	t.Parallel()
	c, _ := peer(t, func(conn net.Conn, reader *bufio.Reader) {
		takeOne(conn, reader, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	})
	status, err := c.post(t.Context(), small(anySpace))
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Nil(t, c.takeIdle())
}

func TestLargeRequestIsAnsweredBeforeItWasTaken(t *testing.T) {
	t.Parallel()
	c, _ := peer(t, func(conn net.Conn, reader *bufio.Reader) {
		_, _ = http.ReadRequest(reader)
		_, _ = io.WriteString(conn, "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		// The rest of the body is never read: the client has to go.
		<-t.Context().Done()
	})
	status, err := c.post(t.Context(), large(anySpace, typed))
	require.NoError(t, err)
	require.Equal(t, http.StatusServiceUnavailable, status)
}

func TestAnswerThatIsNotUnderstoodIsAnError(t *testing.T) {
	t.Parallel()
	c, _ := peer(t, func(conn net.Conn, reader *bufio.Reader) {
		takeOne(conn, reader, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	})
	_, err := c.post(t.Context(), small(anySpace))
	require.ErrorContains(t, err, "chunked")
	require.Nil(t, c.takeIdle())
}

func TestPostEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, done := peer(t, func(_ net.Conn, reader *bufio.Reader) {
		_, _ = http.ReadRequest(reader)
		cancel()
		_, _ = io.Copy(io.Discard, reader) // until the sender has gone
	})
	_, err := c.post(ctx, small(anySpace))
	require.ErrorIs(t, err, context.Canceled)
	<-done
}
