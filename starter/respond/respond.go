// Package respond writes the starter's HTTP answers: plain text as GitBook's runtime does, JSON,
// and errors in their one form. It knows no route.
package respond

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Error is an error that the caller may see.
type Error struct {
	// Status is the HTTP status of the answer.
	Status int
	// Message names what is wrong and the remedy. It holds no secret and nothing internal.
	Message string
	// Header is added to the answer.
	Header http.Header
	// Cause is logged, never shown.
	Cause error
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Message + ": " + e.Cause.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Cause }

// NewError is an Error without a cause.
func NewError(status int, message string) *Error {
	return &Error{Status: status, Message: message}
}

// Handler is an HTTP handler that leaves its errors to be answered by Handle.
type Handler func(http.ResponseWriter, *http.Request) error

// Handle serves h, and answers its errors with {"error": "…"}: an *Error as it says, any other with
// 500 and nothing of its text. Answers from 500 on, and those with a cause, are logged.
func Handle(log *slog.Logger, h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := h(w, r)
		if err == nil {
			return
		}
		shown, ok := errors.AsType[*Error](err)
		if !ok {
			shown = &Error{Status: http.StatusInternalServerError, Message: "internal error; the server's log says more", Cause: err}
		}
		if shown.Status >= http.StatusInternalServerError || shown.Cause != nil {
			log.LogAttrs(r.Context(), slog.LevelError, "request failed",
				slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", shown.Status), slog.Any("error", shown))
		}
		Refuse(w, shown)
	})
}

// Refuse answers with {"error": "…"} and logs nothing.
func Refuse(w http.ResponseWriter, e *Error) {
	for name, values := range e.Header {
		w.Header()[name] = values
	}
	JSON(w, e.Status, struct {
		Error string `json:"error"`
	}{e.Message})
}

// Methods serves a path by method, and answers 405 to the others. HEAD is served as GET.
func Methods(log *slog.Logger, handlers map[string]http.Handler) http.Handler {
	allowed := make([]string, 0, len(handlers))
	for method := range handlers {
		allowed = append(allowed, method)
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")
	refuse := Handle(log, func(http.ResponseWriter, *http.Request) error {
		return &Error{Status: http.StatusMethodNotAllowed, Message: "method not allowed; use " + allow, Header: http.Header{"Allow": {allow}}}
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		if handler, ok := handlers[method]; ok {
			handler.ServeHTTP(w, r)
			return
		}
		refuse.ServeHTTP(w, r)
	})
}

// NotFound serves what no route matches.
func NotFound(log *slog.Logger) http.Handler {
	return Handle(log, func(http.ResponseWriter, *http.Request) error {
		return NewError(http.StatusNotFound, "no such route")
	})
}

// Text answers with plain text, without a newline at its end.
func Text(w http.ResponseWriter, status int, text string) {
	write(w, status, "text/plain; charset=utf-8", []byte(text))
}

// Bytes answers 200 with a body of that media type, as it is.
func Bytes(w http.ResponseWriter, contentType string, body []byte) {
	write(w, http.StatusOK, contentType, body)
}

// JSON answers with v in JSON, without escaping what HTML would need.
func JSON(w http.ResponseWriter, status int, v any) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(err) // only our own types come here
	}
	write(w, status, "application/json", bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func write(w http.ResponseWriter, status int, contentType string, body []byte) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a caller that is gone cannot be told
}
