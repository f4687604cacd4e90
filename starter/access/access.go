// Package access decides who may call the starter's routes. It knows tokens and the keys of the
// configuration that hold them, not what they open.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/starter/respond"
)

// The keys of the configuration whose tokens open the event route, and the routes of operators.
const (
	EventKeys = "access.tokens or access.event_tokens"
	APIKeys   = "access.tokens or access.api_tokens"
)

// Require lets a request pass that shows one of the tokens, as "Authorization: Bearer …" or as the
// password of HTTP Basic, for callers that can only be given a URL. Others get 401, which names the
// keys of the tokens.
//
// Without any tokens, which the configuration permits on loopback alone, requests of this machine
// pass. Any page that its user has open in a browser could send those too, and by rebinding its
// name to a loopback address even as of the same site: so the Host must be a loopback address. What
// a browser sends for a page of another site gets 403 in either case.
func Require(log *slog.Logger, tokens []string, keys string, next http.Handler) http.Handler {
	hashes := make([][sha256.Size]byte, len(tokens))
	for i, token := range tokens {
		hashes[i] = sha256.Sum256([]byte(token))
	}
	foreign := respond.NewError(http.StatusForbidden, "requests of other sites' pages are not accepted")
	protection := http.NewCrossOriginProtection()
	return respond.Handle(log, func(w http.ResponseWriter, r *http.Request) error {
		token := shown(r)
		switch {
		case protection.Check(r) != nil, len(tokens) == 0 && !config.IsLoopback(r.Host):
			return foreign
		case len(tokens) == 0:
		case token == "":
			return unauthorized("token missing; send Authorization: Bearer with one of " + keys)
		case !matches(hashes, token):
			return unauthorized("token is not one of " + keys)
		}
		next.ServeHTTP(w, r)
		return nil
	})
}

// shown is the token that a request shows, "" when it shows none.
func shown(r *http.Request) string {
	if _, password, ok := r.BasicAuth(); ok {
		return password
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// matches compares against every token, in a time that tells nothing of where they differ or which
// one it was.
func matches(hashes [][sha256.Size]byte, token string) bool {
	hash := sha256.Sum256([]byte(token))
	match := 0
	for i := range hashes {
		match |= subtle.ConstantTimeCompare(hashes[i][:], hash[:])
	}
	return match == 1
}

func unauthorized(message string) error {
	return &respond.Error{Status: http.StatusUnauthorized, Message: message, Header: http.Header{
		"Www-Authenticate": {`Bearer realm="courier"`, `Basic realm="courier"`},
	}}
}
