package server

import (
	"io"
	"net/http"
	"time"
)

// drained serves next, and reads the rest of a body that next did not need before the answer is
// sent, within bounds. Many clients send a whole request before they read the answer; to close a
// connection on which data is unread resets it, and they would never see why they were refused.
//
// A client that waits for "100 Continue" gets the answer instead, at once.
func drained(l limits, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength == 0 {
			next.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		if r.ProtoMajor == 1 {
			// net/http itself reads the rest of a body when an answer does not fit its buffer. The
			// gate gives a body that is wanted its own time.
			_ = control.SetReadDeadline(time.Now().Add(l.drain)) // net/http's own always knows deadlines
		}
		body := &watchedBody{ReadCloser: r.Body}
		watched := r.WithContext(r.Context())
		watched.Body = body
		next.ServeHTTP(w, watched)

		expected := r.Header.Get("Expect") != "" && !body.begun
		if body.ended || expected && r.ProtoMajor > 1 {
			return
		}
		if expected && control.Flush() != nil {
			return
		}
		_ = control.SetReadDeadline(time.Now().Add(l.drain))
		// A body beyond the bound closes the connection.
		_, _ = io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, l.drainBytes))
	})
}

// watchedBody knows how far it was read.
type watchedBody struct {
	io.ReadCloser
	begun, ended bool
}

// Read implements io.Reader.
func (b *watchedBody) Read(p []byte) (int, error) {
	b.begun = true
	n, err := b.ReadCloser.Read(p)
	b.ended = b.ended || err != nil
	return n, err
}
