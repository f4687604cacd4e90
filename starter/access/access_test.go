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
	const (
		missing = "token missing; send Authorization: Bearer with one of access.tokens or access.event_tokens"
		wrong   = "token is not one of access.tokens or access.event_tokens"
	)
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
		{"token with a wrong end", []string{first}, bearer("Bearer " + first + "x"), wrong},
		{"two tokens at once", []string{first, second}, bearer("Bearer " + first + "," + second), wrong},
		{"beginning of a token", []string{first}, bearer("Bearer " + first[:8]), wrong},
		{"wrong Basic password", []string{first}, basic("gitbook", second), wrong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler := access.Require(slog.New(slog.DiscardHandler), tt.giveTokens, access.EventKeys, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			}))
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			r.Host = "127.0.0.1:8080"
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

// Any page that a user of the machine has open could otherwise post events, and read deliveries by
// rebinding its name.
func TestRequireRefusesPagesOfOtherSites(t *testing.T) {
	t.Parallel()
	const token = "a-token-of-the-tests"
	tests := []struct {
		name      string
		giveHost  string
		giveSite  string
		giveToken bool
		want      bool
	}{
		{"no browser", "127.0.0.1:8080", "", false, true},
		{"IPv6", "[::1]:8080", "", false, true},
		{"by name", "localhost:8080", "", false, true},
		{"typed into the browser", "localhost:8080", "none", false, true},
		{"page of another site", "127.0.0.1:8080", "cross-site", false, false},
		{"rebound name", "evil.example.com:8080", "same-origin", false, false},
		{"any name, with a token", "courier.example.com", "", true, true},
		{"page of another site that has a token", "courier.example.com", "cross-site", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var tokens []string
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil)
			r.Host = tt.giveHost
			r.Header.Set("Sec-Fetch-Site", tt.giveSite)
			if tt.giveToken {
				tokens = []string{token}
				r.Header.Set("Authorization", "Bearer "+token)
			}
			w := httptest.NewRecorder()
			access.Require(slog.New(slog.DiscardHandler), tokens, access.APIKeys, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusNoContent)
			})).ServeHTTP(w, r)
			if tt.want {
				require.Equal(t, http.StatusNoContent, w.Code)
				return
			}
			require.Equal(t, http.StatusForbidden, w.Code)
			require.Equal(t, `{"error":"requests of other sites' pages are not accepted"}`, w.Body.String())
		})
	}
}
