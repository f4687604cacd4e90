package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

// serve takes connections until the receiver is closed.
func (r *receiver) serve() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return // It was closed.
		}
		if !r.open(conn) {
			return
		}
		r.serving.Go(func() {
			defer r.forget(conn)
			if err := r.serveOne(conn); err != nil {
				// Its log has the answer then, with the reason.
				fmt.Fprintf(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(err.Error()), err)
			}
		})
	}
}

// serveOne takes the webhooks of a connection until its client or the receiver closes it. An error
// is about what the client has sent.
func (r *receiver) serveOne(conn net.Conn) error {
	reader := bufio.NewReaderSize(conn, wireBuffer)
	for {
		request, err := readRequest(reader)
		at := time.Now()
		if _, network := errors.AsType[net.Error](err); network || errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := reader.Discard(request.length); err != nil {
			return nil // The client has gone.
		}
		n := r.arrived(request.id, at)
		status, wait := r.answer(request.path, n)
		if wait > 0 && !stays(conn, reader, wait) {
			return nil
		}
		r.record(request.id, n, status)
		_, err = fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nContent-Length: 0\r\n\r\n", status, http.StatusText(status))
		if err != nil || request.last {
			return nil
		}
	}
}

// stays waits before an answer, and reports whether the client did so too: it sends nothing before
// it is answered, so all that can be read is its end.
func stays(conn net.Conn, reader *bufio.Reader, wait time.Duration) bool {
	if err := conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
		return false
	}
	_, err := reader.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded) && conn.SetReadDeadline(time.Time{}) == nil
}

// open takes a connection to those that close has to end; not when it is over.
func (r *receiver) open(conn net.Conn) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = conn.Close()
		return false
	}
	r.conns[conn] = struct{}{}
	return true
}

func (r *receiver) forget(conn net.Conn) {
	_ = conn.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.conns, conn)
}

// close ends the receiver, although requests may wait for an answer.
func (r *receiver) close() {
	_ = r.listener.Close()
	r.mu.Lock()
	r.closed = true
	for conn := range r.conns {
		_ = conn.Close()
	}
	r.mu.Unlock()
	r.serving.Wait()
}
