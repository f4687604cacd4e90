package respond_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/starter/respond"
)

func TestHandleAnswersErrors(t *testing.T) {
	t.Parallel()
	cause := errors.New("dial tcp 10.1.2.3:7233: refused")
	tests := []struct {
		name     string
		give     error
		want     int
		wantBody string
		wantLog  bool
	}{
		{"bad input is shown", respond.NewError(400, `event: is "missing" & <gone>`), 400, `{"error":"event: is \"missing\" & <gone>"}`, false},
		{"wrapped", fmt.Errorf("list: %w", respond.NewError(404, "no such delivery")), 404, `{"error":"no such delivery"}`, false},
		{"a cause is logged, not shown", &respond.Error{Status: 503, Message: "send it again", Cause: cause}, 503, `{"error":"send it again"}`, true},
		{"an internal error is logged, not shown", cause, 500, `{"error":"internal error; the server's log says more"}`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			handler := respond.Handle(slog.New(slog.NewTextHandler(&log, nil)), func(http.ResponseWriter, *http.Request) error { return tt.give })
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/x", nil))
			require.Equal(t, tt.want, w.Code)
			require.Equal(t, tt.wantBody, w.Body.String())
			require.Equal(t, "application/json", w.Header().Get("Content-Type"))
			if tt.wantLog {
				require.Contains(t, log.String(), "10.1.2.3")
				return
			}
			require.Empty(t, log.String())
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	ok := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { respond.Text(w, http.StatusOK, "OK") })
	handler := respond.Methods(slog.New(slog.DiscardHandler), map[string]http.Handler{http.MethodGet: ok, http.MethodDelete: ok})
	for method, want := range map[string]int{"GET": 200, "HEAD": 200, "DELETE": 200, "POST": 405, "OPTIONS": 405} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, "/x", nil))
		require.Equal(t, want, w.Code, method)
		if want == 405 {
			require.Equal(t, "DELETE, GET", w.Header().Get("Allow"))
		}
	}
}
