package apitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"
)

// GitBookToken is the token that a fake of GitBook's API takes.
const GitBookToken = "gb_api_token_for_tests"

// GitBook is a fake of the parts of GitBook's API that concern the integration "courier-webhook". It
// answers as @gitbook/api describes, which "make schema" checks.
type GitBook struct {
	*httptest.Server

	mu     sync.Mutex
	events []map[string]any // the newest first
	// calls are the calls so far, each with its body after a space.
	calls []string
	// installations are the installations, by the path below the integration's.
	installations map[string]any
	tunnel        string
}

// NewGitBook starts a fake, which ends with the test.
func NewGitBook(t *testing.T) *GitBook {
	t.Helper()
	g := &GitBook{installations: make(map[string]any)}
	mux := http.NewServeMux()
	const base = "/v1/integrations/courier-webhook"
	mux.HandleFunc("GET "+base+"/events", g.list)
	mux.HandleFunc("PUT "+base+"/dev", g.develop)
	mux.HandleFunc("DELETE "+base+"/dev", func(w http.ResponseWriter, _ *http.Request) {
		g.set("")
		w.WriteHeader(http.StatusResetContent)
	})
	mux.HandleFunc("GET "+base+"/installations/", func(w http.ResponseWriter, r *http.Request) {
		g.mu.Lock()
		installation, ok := g.installations[r.URL.Path[len(base):]]
		g.mu.Unlock()
		if !ok {
			refuse(w, http.StatusNotFound)
			return
		}
		answer(w, installation)
	})
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.note(r.Method + " " + r.URL.RequestURI())
		if r.Header.Get("Authorization") != "Bearer "+GitBookToken {
			refuse(w, http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// Log adds an event to the log, newer than those before it.
func (g *GitBook) Log(createdAt time.Time, status, event string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.events = append([]map[string]any{{
		"id": fmt.Sprintf("log_%d", len(g.events)), "integrationId": "courier-webhook", "installationId": "inst_def456",
		"createdAt": createdAt.UTC().Format(time.RFC3339), "status": status, "payload": json.RawMessage(event),
	}}, g.events...)
}

// Install adds an installation, at its path below the integration's: "/installations/{id}", and
// perhaps "/spaces/{id}" or "/sites/{id}" after it.
func (g *GitBook) Install(path string, configuration map[string]any) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.installations[path] = map[string]any{"id": "inst_def456", "status": "active", "configuration": configuration}
}

// Calls are the calls so far.
func (g *GitBook) Calls() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]string(nil), g.calls...)
}

// Entries are the log's, the newest first.
func (g *GitBook) Entries() []map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]map[string]any(nil), g.events...)
}

// Tunnel is the development target; empty when there is none.
func (g *GitBook) Tunnel() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tunnel
}

func (g *GitBook) note(call string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, call)
}

func (g *GitBook) set(tunnel string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tunnel = tunnel
}

func (g *GitBook) develop(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	g.note("body " + string(body))
	var target struct {
		TunnelURL string `json:"tunnelUrl"`
	}
	if json.Unmarshal(body, &target) != nil || target.TunnelURL == "" {
		refuse(w, http.StatusBadRequest)
		return
	}
	g.set(target.TunnelURL)
	w.WriteHeader(http.StatusNoContent)
}

// list answers with pages of two events.
func (g *GitBook) list(w http.ResponseWriter, r *http.Request) {
	const size = 2
	g.mu.Lock()
	defer g.mu.Unlock()
	from, _ := strconv.Atoi(r.URL.Query().Get("page"))
	to := min(from+size, len(g.events))
	page := map[string]any{"items": g.events[min(from, to):to], "count": len(g.events)}
	if to < len(g.events) {
		page["next"] = map[string]string{"page": strconv.Itoa(to)}
	}
	answer(w, page)
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `{"error":{"code":%d,"message":"no"}}`, status)
}
