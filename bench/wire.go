package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gitbook-courier/courier/gitbook"
)

// The sender and the receiver share the processor with what is measured, and net/http would take a
// good part of it. So they have the little of HTTP/1.1 here that Courier speaks to them; what else
// it allows is refused.

// wireBuffer is the size of a connection's buffer in bytes, and so the longest line of a head.
const wireBuffer = 16 << 10

// head is what matters of the head of a request or of an answer.
type head struct {
	// first is the request line or the status line.
	first string
	// id is the event's, which webhooks carry.
	id string
	// length of the body in bytes, -1 when the head does not say it.
	length int
	// last is whether the connection ends with this message.
	last bool
}

// readHead reads a head to the empty line after it. The error is io.EOF when the connection ended
// before it began.
func readHead(r *bufio.Reader) (head, error) {
	h := head{length: -1}
	first, err := readLine(r)
	if err != nil {
		return h, err
	}
	h.first = string(first)
	for {
		line, err := readLine(r)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil || len(line) == 0 {
			return h, err
		}
		if err := h.take(line); err != nil {
			return h, err
		}
	}
}

// readLine reads a line without its end. It is valid until the next is read.
func readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimRight(line, "\r\n"), err
}

// take takes a header field.
func (h *head) take(line []byte) error {
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found {
		return fmt.Errorf("the header field %q is not understood", line)
	}
	value = bytes.TrimSpace(value)
	is := func(known string) bool { return bytes.EqualFold(name, []byte(known)) }
	switch {
	case is(gitbook.WebhookIDHeader):
		h.id = string(value)
	case is("Content-Length"):
		length, err := strconv.ParseUint(string(value), 10, 31)
		if err != nil {
			return fmt.Errorf("the Content-Length %q is not understood", value)
		}
		h.length = int(length)
	case is("Transfer-Encoding"):
		return fmt.Errorf("the Transfer-Encoding %q is not understood, only bodies with a Content-Length are", value)
	case is("Connection"):
		h.last = bytes.EqualFold(value, []byte("close"))
	}
	return nil
}

// request is the head of a webhook.
type request struct {
	head
	path string
}

// readRequest reads a request as far as its body. The error is io.EOF when the connection ended
// before it began.
func readRequest(r *bufio.Reader) (request, error) {
	h, err := readHead(r)
	if err != nil {
		return request{}, err
	}
	target, found := strings.CutPrefix(h.first, http.MethodPost+" ")
	target, isHTTP := strings.CutSuffix(target, " HTTP/1.1")
	if !found || !isHTTP {
		return request{}, fmt.Errorf("the request %q is not understood", h.first)
	}
	// Without a length, a request has no body.
	h.length = max(h.length, 0)
	path, _, _ := strings.Cut(target, "?")
	return request{head: h, path: path}, nil
}

// reply is an answer whose body was read and dropped.
type reply struct {
	head
	status int
}

// readReply reads an answer with its body. The error is io.EOF when the connection ended before it
// began.
func readReply(r *bufio.Reader) (reply, error) {
	h, err := readHead(r)
	if err != nil {
		return reply{}, err
	}
	rest, found := strings.CutPrefix(h.first, "HTTP/1.1 ")
	code, _, _ := strings.Cut(rest, " ")
	status, err := strconv.Atoi(code)
	if !found || err != nil || status < http.StatusOK || status > 599 {
		return reply{}, fmt.Errorf("the answer %q is not understood", h.first)
	}
	if h.length < 0 {
		if status != http.StatusNoContent {
			return reply{}, fmt.Errorf("the answer %q has no Content-Length", h.first)
		}
		h.length = 0
	}
	if _, err := r.Discard(h.length); err != nil {
		return reply{}, fmt.Errorf("the body of the answer %q: %w", h.first, err)
	}
	return reply{head: h, status: status}, nil
}
