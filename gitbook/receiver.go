package gitbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// DefaultMaxBodyBytes is the greatest body that Handler reads by default: 1 MiB.
const DefaultMaxBodyBytes = 1 << 20

// Handler guards a receiver of webhooks: next sees only requests whose signature verifies, and
// reads from r.Body the exact bytes that were verified, which ParseEvent takes. All others are
// answered with {"error": …}: 401 for a signature that does not verify, 413 for a body over
// MaxBodyBytes, 400 for one that cannot be read, and 500 when the Verifier has no secret, so that
// the sender keeps the event and tries again.
//
// Deliveries arrive at least once, in no certain order. To drop duplicates, next stores the id of
// each event it has dealt with, best in the same transaction as the effect, and answers 200 without
// a second effect when it finds the id there. The id is the event's eventId, which the header
// WebhookIDHeader repeats; that header is not covered by GitBook's signature, so take the id from
// the body.
//
// A sender waits some ten seconds for the answer: next does longer work after it has stored the
// event and answered.
func (v Verifier) Handler(next http.Handler) http.Handler {
	limit := v.MaxBodyBytes
	if limit <= 0 {
		limit = DefaultMaxBodyBytes
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
		if err != nil {
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				writeError(w, http.StatusRequestEntityTooLarge, "the body is too large")
				return
			}
			writeError(w, http.StatusBadRequest, "the body cannot be read")
			return
		}
		switch err := v.Verify(r.Header.Get(SignatureHeader), body); {
		case errors.Is(err, ErrNoSecret):
			writeError(w, http.StatusInternalServerError, err.Error())
			return
		case err != nil:
			writeError(w, http.StatusUnauthorized, err.Error())
			return
		}
		verified := r.WithContext(r.Context()) // A copy: a handler leaves the request it was given alone.
		verified.Body = io.NopCloser(bytes.NewReader(body))
		verified.ContentLength = int64(len(body))
		verified.TransferEncoding = nil
		next.ServeHTTP(w, verified)
	})
}

func writeError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An answer that cannot be written has no one left to be told.
	_ = json.NewEncoder(w).Encode(map[string]string{"error": message})
}
