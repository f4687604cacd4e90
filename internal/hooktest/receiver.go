// Package hooktest is a scripted receiver of webhooks for tests.
package hooktest

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

// Secret signs what the receiver verifies. It has the form of GitBook's secrets.
const Secret = "Zm9yIHRlc3RzIG9ubHksIDMyIGJ5dGVzIG9mIGtleSE"

// Answer is the receiver's answer to one request.
type Answer struct {
	// Status is the HTTP status; 0 is 200.
	Status int
	// Header is added to the reply.
	Header http.Header
	// Body is the reply's body.
	Body string
	// Hang leaves the request without an answer until the client gives up or the test ends.
	Hang bool
	// Drop closes the connection without an answer.
	Drop bool
}

// Request is a request that came in.
type Request struct {
	Header http.Header
	Body   []byte
	// Verified is what verifying GitBook's signature came to.
	Verified error
}

// Receiver answers requests by its script, then 200, and records them.
type Receiver struct {
	// URL is where it listens, on loopback.
	URL string

	came   chan Request
	ended  chan struct{}
	mu     sync.Mutex
	script []Answer
	all    []Request
}

// New starts a receiver that ends with the test.
func New(tb testing.TB, script ...Answer) *Receiver {
	tb.Helper()
	r := &Receiver{script: script, came: make(chan Request, 4096), ended: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(r.serve))
	tb.Cleanup(func() {
		close(r.ended)
		server.CloseClientConnections()
		server.Close()
	})
	r.URL = server.URL
	return r
}

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	verifier := gitbook.Verifier{Secrets: []string{Secret}}
	request := Request{Header: req.Header, Body: body, Verified: verifier.Verify(req.Header.Get(gitbook.SignatureHeader), body)}
	answer := r.record(request)
	switch {
	case answer.Hang:
		select {
		case <-req.Context().Done():
		case <-r.ended:
		}
		panic(http.ErrAbortHandler)
	case answer.Drop:
		panic(http.ErrAbortHandler)
	}
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(max(answer.Status, http.StatusOK))
	_, _ = io.WriteString(w, answer.Body)
}

func (r *Receiver) record(request Request) Answer {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, request)
	r.came <- request
	if len(r.script) == 0 {
		return Answer{}
	}
	answer := r.script[0]
	r.script = r.script[1:]
	return answer
}

// Script replaces what remains of the script.
func (r *Receiver) Script(script ...Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = script
}

// Requests are the requests so far.
func (r *Receiver) Requests() []Request {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Request(nil), r.all...)
}

// Next waits for the next request that no call of Next has returned before.
func (r *Receiver) Next(tb testing.TB, ctx context.Context) Request {
	tb.Helper()
	select {
	case request := <-r.came:
		return request
	case <-ctx.Done():
		require.FailNow(tb, "no request came", ctx.Err())
		return Request{}
	}
}

// Repeat is a script of n times the same answer.
func Repeat(n int, answer Answer) []Answer {
	script := make([]Answer, n)
	for i := range script {
		script[i] = answer
	}
	return script
}
