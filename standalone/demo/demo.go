// Package demo is a receiver of webhooks that verifies and prints what it gets, so that a first
// delivery can be watched. It is an example of a receiver and knows of Courier only what any
// receiver does.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gitbook-courier/courier/gitbook"
)

const (
	// DefaultAddress is where the receiver listens unless told otherwise.
	DefaultAddress = "127.0.0.1:9000"

	// maxPrintedBytes is how much of a body is printed, in bytes of its indented form.
	maxPrintedBytes = 4 << 10

	// maxFieldBytes is how much of a header or an id is printed; an event id has at most 255 bytes.
	maxFieldBytes = 255
)

// Receiver is a running demo receiver. It must be stopped.
type Receiver struct {
	url    string
	server *http.Server
	done   chan struct{}
}

// Start listens on addr, a host:port whose port may be 0, and prints each webhook to out as one
// block: the answer given, the event's type and id, the attempt, what verification with the secret
// found, and the body. It answers 200 to a webhook that verifies, 401 to one that does not, and 503
// to everything sent to the path /fail, so that retries can be watched. Out is written by one
// goroutine at a time.
func Start(addr, secret string, out io.Writer) (*Receiver, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the demo receiver's port %s is taken by another process; set --demo-listen or COURIER_DEMO_LISTEN", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("demo receiver: %w", err)
	}
	r := &Receiver{
		url:  "http://" + listener.Addr().String(),
		done: make(chan struct{}),
		server: &http.Server{
			Handler: &handler{
				verifier: gitbook.Verifier{Secrets: []string{secret}},
				out:      out,
			},
			ReadTimeout: 30 * time.Second,
		},
	}
	go func() {
		defer close(r.done)
		_ = r.server.Serve(listener) // It ends with http.ErrServerClosed.
	}()
	return r, nil
}

// URL returns the receiver's address, such as http://127.0.0.1:9000.
func (r *Receiver) URL() string { return r.url }

// Stop ends the receiver. Requests that are being answered have until ctx is done.
func (r *Receiver) Stop(ctx context.Context) error {
	err := r.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("demo receiver: %w", err), r.server.Close())
	}
	<-r.done
	return err
}

type handler struct {
	verifier gitbook.Verifier

	mu  sync.Mutex
	out io.Writer
}

// ServeHTTP takes one webhook on any path.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "this is a receiver of webhooks; send it a POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, gitbook.DefaultMaxBodyBytes))
	if err != nil {
		http.Error(w, "the body is too large or cannot be read", http.StatusRequestEntityTooLarge)
		return
	}

	status, verdict := http.StatusOK, "signature verified"
	if err := h.verifier.Verify(r.Header.Get(gitbook.SignatureHeader), body); err != nil {
		status, verdict = http.StatusUnauthorized, err.Error()
	}
	if r.URL.Path == "/fail" {
		status = http.StatusServiceUnavailable
	}
	h.print(status, verdict, r.Header.Get(gitbook.AttemptHeader), body)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, verdict+"\n") // A sender that does not wait for the answer has had its webhook printed.
}

// print writes one block in one call, so that blocks of concurrent requests do not mix.
func (h *handler) print(status int, verdict, attempt string, body []byte) {
	event, _ := gitbook.ParseEvent(body) // Without a type and an id the body below tells why.
	block := fmt.Sprintf("%d  %s  %s  attempt %s  %s\n%s\n", status,
		field(event.Type), field(event.ID), field(attempt), verdict, indent(body))
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = io.WriteString(h.out, block)
}

// field shows a value within a line.
func field(s string) string {
	switch {
	case s == "":
		return "(none)"
	case len(s) > maxFieldBytes:
		return printable(strings.ToValidUTF8(s[:maxFieldBytes], ""), false) + "…"
	default:
		return printable(s, false)
	}
}

// indent lays a JSON body out over several lines; other bodies stay as they are.
func indent(body []byte) string {
	const margin = "     "
	var buf bytes.Buffer
	if err := json.Indent(&buf, body, margin, "  "); err != nil {
		buf.Reset()
		buf.Write(body)
	}
	text, rest := buf.Bytes(), 0
	if len(text) > maxPrintedBytes {
		cut := maxPrintedBytes
		for cut > 0 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		text, rest = text[:cut], len(text)-cut
	}
	out := margin + printable(string(text), true)
	if rest > 0 {
		out += fmt.Sprintf("… (%d bytes more)", rest)
	}
	return out
}

// printable escapes what a terminal would obey rather than show: the text comes from outside. Line
// breaks stay where several lines are meant.
func printable(s string, lines bool) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case lines && r == '\n', unicode.IsPrint(r):
			b.WriteString(s[i : i+size])
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += size
	}
	return b.String()
}
