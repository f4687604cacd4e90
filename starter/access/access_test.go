package access_test

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/starter/access"
)

func TestRequire(t *testing.T) {
	t.Parallel()
	const first, second = "first-token-of-the-tests", "second-token-of-the-tests"
	bearer := func(value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set("Authorization", value) }
	}
	basic := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	const missing, wrong = "token missing; send Authorization: Bearer with one of access.tokens", "token is not one of access.tokens"
	tests := []struct {
		name       string
		giveTokens []string
		give       func(*http.Request)
		want       string // empty when let in
	}{
		{"no tokens configured", nil, func(*http.Request) {}, ""},
		{"first token", []string{first, second}, bearer("Bearer " + first), ""},
		{"second token", []string{first, second}, bearer("Bearer " + second), ""},
		{"scheme in any case", []string{first}, bearer("bearer " + first), ""},
		{"as a Basic password, whoever the user", []string{first}, basic("gitbook", first), ""},
		{"as a Basic user", []string{first}, basic(first, ""), missing},
		{"nothing", []string{first}, func(*http.Request) {}, missing},
		{"empty token", []string{first}, bearer("Bearer "), missing},
		{"another scheme", []string{first}, bearer("Token " + first), missing},
		{"wrong token", []string{first}, bearer("Bearer " + second), wrong},
		{"beginning of a token", []string{first}, bearer("Bearer " + first[:8]), wrong},
		{"wrong Basic password", []string{first}, basic("gitbook", second), wrong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler := access.Require(slog.New(slog.DiscardHandler), tt.giveTokens, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			tt.give(r)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			if tt.want == "" {
				require.Equal(t, http.StatusNoContent, w.Code)
				return
			}
			require.Equal(t, http.StatusUnauthorized, w.Code)
			require.Equal(t, `{"error":"`+tt.want+`"}`, w.Body.String())
			require.Equal(t, []string{`Bearer realm="courier"`, `Basic realm="courier"`}, w.Header().Values("WWW-Authenticate"))
		})
	}
}
