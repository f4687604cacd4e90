package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

// testKey is base64 of 32 bytes.
var testKey = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))

// environment is the Lookup of a fixed set of variables.
func environment(variables map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, set := variables[name]
		return value, set
	}
}

const fullFile = `
listen: 0.0.0.0:8080
tls: {certificate: /etc/courier/tls.pem, key: /etc/courier/tls.key}
access:
  tokens: ["${COURIER_TOKEN}"]
  event_tokens: [event-token-1234]
  api_tokens: [api-token-123456]
sealing_keys: ["${COURIER_KEY}"]
encrypt_payloads: true
ui_origins: ["https://temporal.example.com:8233"]
installations:
  - id: inst_def456
    allow_private: true
  - id: "*"
sources:
  - name: docs
    secrets: ["${GITBOOK_SECRET}"]
destinations:
  - name: search-index
    formerly: [search, old-search]
    url: https://search.example.com/hooks/gitbook?key=${SEARCH_KEY}
    secrets: ["${SEARCH_SECRET}", 0123, "${file:keys/old}"]
    events: [space_content_updated, page_feedback]
    spaces: [space_1]
    sites: [site_1, site_2]
    match: {visitor.language: [en, "de*"], visitor.age: [42]}
    timeout: 20s
    retries: [100ms, 1d12h, 30d]
    retry_after_max: 24h
    hold_after: 15m
    notify: cache
    concurrency: 20
    rate_limit: 0.5
    redact: [visitor.ip, visitor.cookies]
    headers: {X-Team: docs, Authorization: "Bearer ${SEARCH_KEY}"}
    allow_private: ${PRIVATE}
  - name: cache
    url: http://10.0.0.1
    secrets:
      - 'a $${literal} $5'
    retries: []
gitbook_api: http://127.0.0.1:9999/gitbook
ui_url: https://temporal.example.com/ui
admin_listen: 127.0.0.1:9465
log_format: json
secret_overlap: 2d
egress_proxy: http://courier:${PROXY_PASSWORD}@proxy.example.com:3128
unknown_patience: 2d
worker: embedded
max_body_bytes: 1572864
max_requests: 64
`

var fullVariables = map[string]string{
	"COURIER_TOKEN":  "0123456789abcdef",
	"COURIER_KEY":    testKey,
	"GITBOOK_SECRET": "a: [\"YAML\"] #",
	"SEARCH_KEY":     "${GITBOOK_SECRET}",
	"SEARCH_SECRET":  "s1",
	"PRIVATE":        "true",
	"PROXY_PASSWORD": "hunter2",
}

func TestParseReadsEveryKey(t *testing.T) {
	t.Parallel()

	cfg, err := Parse([]byte(fullFile), "conf/courier.yaml", Options{
		Lookup:   environment(fullVariables),
		readFile: func(path string) ([]byte, error) { return []byte("content of " + path + "\n"), nil },
	})
	require.NoError(t, err)
	require.Equal(t, Config{
		Listen:          "0.0.0.0:8080",
		UIURL:           "https://temporal.example.com/ui",
		AdminListen:     "127.0.0.1:9465",
		LogFormat:       "json",
		TLS:             TLS{Certificate: "/etc/courier/tls.pem", Key: "/etc/courier/tls.key"},
		Access:          Access{Tokens: []Secret{"0123456789abcdef"}, EventTokens: []Secret{"event-token-1234"}, APITokens: []Secret{"api-token-123456"}},
		SealingKeys:     []Secret{Secret(testKey)},
		EncryptPayloads: true,
		UIOrigins:       []string{"https://temporal.example.com:8233"},
		Installations:   []Installation{{ID: "inst_def456", AllowPrivate: true}, {ID: "*"}},
		GitBookAPI:      "http://127.0.0.1:9999/gitbook",
		SecretOverlap:   48 * time.Hour,
		Sources:         []Source{{Name: "docs", Secrets: []Secret{"a: [\"YAML\"] #"}}},
		Destinations: []Destination{
			{
				Name:          "search-index",
				Formerly:      []string{"search", "old-search"},
				URL:           "https://search.example.com/hooks/gitbook?key=${GITBOOK_SECRET}",
				Secrets:       []Secret{"s1", "0123", "content of conf/keys/old"},
				Events:        []string{"space_content_updated", "page_feedback"},
				Spaces:        []string{"space_1"},
				Sites:         []string{"site_1", "site_2"},
				Match:         map[string][]string{"visitor.language": {"en", "de*"}, "visitor.age": {"42"}},
				Timeout:       20 * time.Second,
				Retries:       []time.Duration{100 * time.Millisecond, 36 * time.Hour, 720 * time.Hour},
				RetryAfterMax: 24 * time.Hour,
				HoldAfter:     15 * time.Minute,
				Notify:        "cache",
				Concurrency:   20,
				RateLimit:     0.5,
				Redact:        []string{"visitor.ip", "visitor.cookies"},
				Headers:       Headers{"X-Team": "docs", "Authorization": "Bearer ${GITBOOK_SECRET}"},
				AllowPrivate:  true,
			},
			{
				Name:          "cache",
				URL:           "http://10.0.0.1",
				Secrets:       []Secret{"a ${literal} $5"},
				Events:        gitbook.DocumentedEvents(),
				Timeout:       10 * time.Second,
				Retries:       []time.Duration{},
				RetryAfterMax: time.Minute,
			},
		},
		UnknownPatience: 48 * time.Hour,
		EgressProxy:     "http://courier:hunter2@proxy.example.com:3128",
		Worker:          WorkerEmbedded,
		MaxBodyBytes:    1572864,
		MaxRequests:     64,
	}, cfg)
	require.NoError(t, cfg.Validate())
}

func TestParseOfNothingIsTheDefault(t *testing.T) {
	t.Parallel()

	for _, give := range []string{"", "\n", "# nothing yet\n", "---\n", "---\n...\n", "{}"} {
		cfg, err := Parse([]byte(give), "courier.yaml", Options{})
		require.NoError(t, err, "%q", give)
		require.Equal(t, Config{
			Listen: "127.0.0.1:8080", LogFormat: "text", GitBookAPI: "https://api.gitbook.com", SecretOverlap: 24 * time.Hour, UnknownPatience: 24 * time.Hour, Worker: "separate", MaxBodyBytes: 1 << 20, MaxRequests: 128,
		}, cfg, "%q", give)
	}
}

func TestListenOfTheCommandLineWins(t *testing.T) {
	t.Parallel()
	cfg, err := Parse([]byte("listen: 127.0.0.1:80"), "courier.yaml", Options{Listen: "127.0.0.1:81"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:81", cfg.Listen)
	_, err = Parse([]byte("listen: 127.0.0.1:80"), "courier.yaml", Options{Listen: "0.0.0.0:80"})
	require.ErrorContains(t, err, "access.tokens: is required, because listen is not a loopback address")
}

// The two mean the opposite of each other, so neither may turn into the other.
func TestParseTellsNoInstallationsFromNoneGiven(t *testing.T) {
	t.Parallel()

	left, err := Parse([]byte("listen: localhost:80"), "courier.yaml", Options{})
	require.NoError(t, err)
	require.Nil(t, left.Installations)

	none, err := Parse([]byte("installations: []"), "courier.yaml", Options{})
	require.NoError(t, err)
	require.Equal(t, []Installation{}, none.Installations)
}

func TestParseFollowsAliases(t *testing.T) {
	t.Parallel()

	cfg, err := Parse([]byte(`
sources:
  - {name: one, secrets: &shared [s1, s2]}
  - {name: two, secrets: *shared}
`), "courier.yaml", Options{})
	require.NoError(t, err)
	require.Equal(t, cfg.Sources[0].Secrets, cfg.Sources[1].Secrets)
}

func TestParseAppendsTheSealingKeyOfOptions(t *testing.T) {
	t.Parallel()

	own := bytes.Repeat([]byte{9}, 32)
	file := "installations: [{id: inst_1}]\nsealing_keys: [\"" + testKey + "\"]\n"
	cfg, err := Parse([]byte(file), "courier.yaml", Options{SealingKey: own})
	require.NoError(t, err)
	require.Equal(t, []Secret{Secret(testKey), Secret(base64.StdEncoding.EncodeToString(own))}, cfg.SealingKeys)

	_, err = Parse([]byte("installations: [{id: inst_1}]"), "courier.yaml", Options{SealingKey: own})
	require.NoError(t, err)

	_, err = Parse(nil, "courier.yaml", Options{SealingKey: own[:5]})
	require.EqualError(t, err, "courier.yaml: sealing_keys[0]: is base64 of 5 bytes, not of 32; make one with `openssl rand -base64 32`")
}

func TestLoad(t *testing.T) {
	t.Parallel()

	path := filepath.Join(t.TempDir(), "courier.yaml")
	require.NoError(t, os.WriteFile(path, []byte("listen: localhost:9000\n"), 0o600))
	cfg, err := Load(path, Options{})
	require.NoError(t, err)
	require.Equal(t, "localhost:9000", cfg.Listen)

	cfg, err = Load("", Options{})
	require.NoError(t, err)
	require.Equal(t, Default(), cfg)

	_, err = Load(path+".missing", Options{})
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, os.WriteFile(path, []byte("lisen: x\n"), 0o600))
	_, err = Load(path, Options{})
	require.EqualError(t, err, path+":1: lisen: is not a key that exists here; did you mean listen?")
}

func TestLoadReadsTheProcessEnvironment(t *testing.T) {
	t.Setenv("COURIER_TEST_PORT", "9001")

	path := filepath.Join(t.TempDir(), "courier.yaml")
	require.NoError(t, os.WriteFile(path, []byte("listen: localhost:${COURIER_TEST_PORT}\n"), 0o600))
	cfg, err := Load(path, Options{})
	require.NoError(t, err)
	require.Equal(t, "localhost:9001", cfg.Listen)
}

func TestParseRefusesALargeFile(t *testing.T) {
	t.Parallel()

	_, err := Parse([]byte(strings.Repeat("#", maxFileBytes+1)), "courier.yaml", Options{})
	require.EqualError(t, err, "courier.yaml: is larger than 1048576 bytes")
}

func TestParseReturnsFieldErrors(t *testing.T) {
	t.Parallel()

	_, err := Parse([]byte("\nmax_body_bytes: 7\n"), "courier.yaml", Options{})
	var field *FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, &FieldError{
		File: "courier.yaml", Line: 2, Field: "max_body_bytes", Value: "7", Err: field.Err,
	}, field)
	require.EqualError(t, errors.Unwrap(field), "is not between 1024 and 1572864")
}

// FuzzParse checks that nothing panics, that what is accepted is valid, that everything else is
// reported as field errors in the order of their lines, and that no error shows what a variable or
// a file holds.
func FuzzParse(f *testing.F) {
	const marker = "PlantedMarkerXq7"
	f.Add([]byte(fullFile))
	for _, tt := range brokenFiles {
		f.Add([]byte(tt.give))
	}
	f.Add([]byte("a: &x [*x]\n"))
	f.Add([]byte("sources: &x [*x]\n"))
	f.Add([]byte("<<: {listen: x}\n"))
	lookup := func(name string) (string, bool) { return marker + "\n\x00", name != "UNSET" }
	readFile := func(path string) ([]byte, error) {
		if strings.HasSuffix(path, "missing") {
			return nil, os.ErrNotExist
		}
		return []byte(marker + "\n\x00"), nil
	}

	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Contains(data, []byte(marker)) {
			return
		}
		cfg, err := Parse(data, "fuzz.yaml", Options{Lookup: lookup, readFile: readFile})
		if err == nil {
			require.NoError(t, cfg.Validate())
			require.NotContains(t, strings.Join(cfg.Warnings(), "\n"), marker)
			return
		}
		require.NotContains(t, err.Error(), marker)

		var joined interface{ Unwrap() []error }
		require.ErrorAs(t, err, &joined)
		line := 0
		for _, err := range joined.Unwrap() {
			var field *FieldError
			require.ErrorAs(t, err, &field)
			require.NotContains(t, err.Error(), "\n")
			require.GreaterOrEqual(t, field.Line, line)
			line = field.Line
		}
	})
}
