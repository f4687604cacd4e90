package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// connections are those of a sender to one server. They are kept alive.
type connections struct {
	address string

	mu   sync.Mutex
	idle []*connection
}

// connection is one of them, for one request at a time.
type connection struct {
	net.Conn
	reader *bufio.Reader
}

// errUnanswered is that a connection ended before an answer began.
var errUnanswered = errors.New("the connection was closed before the answer")

// post posts an event and returns the answer's status.
func (c *connections) post(ctx context.Context, p payload) (status int, err error) {
	if conn := c.takeIdle(); conn != nil {
		status, err = c.exchange(ctx, conn, p)
		// The server may have closed it meanwhile; a new one tells.
		if !errors.Is(err, errUnanswered) {
			return status, err
		}
	}
	conn, err := (&net.Dialer{Timeout: postTimeout}).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return 0, err
	}
	return c.exchange(ctx, &connection{conn, bufio.NewReaderSize(conn, wireBuffer)}, p)
}

// exchange posts an event over a connection, and keeps the connection if it can be used again.
func (c *connections) exchange(ctx context.Context, conn *connection, p payload) (status int, err error) {
	if err := conn.SetDeadline(time.Now().Add(postTimeout)); err != nil {
		return 0, errors.Join(err, conn.Close())
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	status, again, err := conn.roundTrip(c.request(p), p.padding > 0)
	if stop() && again {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.idle = append(c.idle, conn)
		return status, err
	}
	_ = conn.Close()
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	return status, err
}

// request is the whole request of an event.
func (c *connections) request(p payload) net.Buffers {
	head := "POST /v1 HTTP/1.1\r\nHost: " + c.address + "\r\nContent-Type: " + formContentType +
		"\r\nContent-Length: " + strconv.FormatInt(p.size(), 10) + "\r\n\r\n"
	return append(net.Buffers{[]byte(head)}, p.buffers()...)
}

// roundTrip writes a request and reads its answer. A large request is written and its answer read
// at the same time, since the answer may come first and the rest may never be taken. again is
// whether the connection can be used again.
func (c *connection) roundTrip(request net.Buffers, large bool) (status int, again bool, err error) {
	written := make(chan error, 1)
	write := func() {
		_, err := request.WriteTo(c.Conn)
		written <- err
	}
	if large {
		go write()
	} else {
		write()
	}
	// Even a request that could not be written may have an answer.
	answer, err := c.readReply()
	if err != nil || answer.last {
		_ = c.Close()
	}
	writeErr := <-written
	return answer.status, err == nil && writeErr == nil && !answer.last, err
}

// readReply reads an answer. The error is errUnanswered when the connection ended before one began.
func (c *connection) readReply() (reply, error) {
	_, err := c.reader.Peek(1)
	if err == nil {
		return readReply(c.reader)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		err = fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return reply{}, err
}

func (c *connections) takeIdle() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.idle) == 0 {
		return nil
	}
	last := len(c.idle) - 1
	conn := c.idle[last]
	c.idle = c.idle[:last]
	return conn
}

// close closes the connections that nobody uses.
func (c *connections) close() {
	for conn := c.takeIdle(); conn != nil; conn = c.takeIdle() {
		_ = conn.Close()
	}
}
