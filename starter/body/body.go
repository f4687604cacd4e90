// Package body reads the bodies of requests, and has one answer for each way in which a body can be
// bad, whatever the route. It knows no route and no format.
package body

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"

	"github.com/gitbook-courier/courier/starter/respond"
)

// Rules say which bodies a route takes.
type Rules struct {
	// MediaType is the Content-Type that the route requires, without parameters. Empty requires
	// none.
	MediaType string
	// MaxBytes bounds the body.
	MaxBytes int64
	// Key is the configuration's key of MaxBytes, for the error. Empty when there is none.
	Key string
}

// Open returns a reader of the request's body. Its errors are for Refusal. A media type that is not
// the route's, a compressed body and one that announces more than MaxBytes are refused at once,
// with a *respond.Error and nothing read.
func (rules Rules) Open(w http.ResponseWriter, r *http.Request) (io.Reader, error) {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); rules.MediaType != "" && mediaType != rules.MediaType {
		return nil, respond.NewError(http.StatusUnsupportedMediaType, "Content-Type must be "+rules.MediaType)
	}
	if coding := strings.Join(r.Header.Values("Content-Encoding"), ","); coding != "" && !strings.EqualFold(coding, "identity") {
		return nil, respond.NewError(http.StatusUnsupportedMediaType, "Content-Encoding is not supported; send the body as it is")
	}
	if r.ContentLength > rules.MaxBytes {
		return nil, rules.tooLarge()
	}
	return http.MaxBytesReader(w, r.Body, rules.MaxBytes), nil
}

// ReadAll returns the request's whole body. Every error is a *respond.Error.
func (rules Rules) ReadAll(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	reader, err := rules.Open(w, r)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(reader)
	if err != nil {
		return nil, rules.Refusal(err)
	}
	return data, nil
}

// Refusal is the answer to an error of reading: 413 over the limit, 408 when the body stalls, else
// 400.
func (rules Rules) Refusal(err error) *respond.Error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return rules.tooLarge()
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return respond.NewError(http.StatusRequestTimeout, "the body did not arrive in time; send it again")
	}
	return respond.NewError(http.StatusBadRequest, "the body breaks off, or its chunks are broken")
}

func (rules Rules) tooLarge() *respond.Error {
	message := fmt.Sprintf("body is larger than %d bytes", rules.MaxBytes)
	if rules.Key != "" {
		message += " (" + rules.Key + ")"
	}
	return respond.NewError(http.StatusRequestEntityTooLarge, message)
}
