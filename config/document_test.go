package config

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// keyPaths lists every key that the type has, such as destinations[].timeout.
func keyPaths(t reflect.Type, path string) []string {
	if t.Kind() == reflect.Slice {
		t, path = t.Elem(), path+"[]"
	}
	if t.Kind() != reflect.Struct {
		return []string{strings.TrimSuffix(path, "[]")}
	}
	var paths []string
	for i := range t.NumField() {
		field := t.Field(i)
		paths = append(paths, keyPaths(field.Type, member(path, field.Tag.Get("yaml")))...)
	}
	return paths
}

// The list is written out, so that a key cannot come, go or change its name unnoticed.
func TestKeyPaths(t *testing.T) {
	t.Parallel()

	require.Equal(t, []string{
		"listen", "admin_listen", "log_format", "tls.certificate", "tls.key", "access.tokens", "access.event_tokens", "access.api_tokens", "sealing_keys", "encrypt_payloads",
		"ui_origins", "ui_url", "installations[].id", "installations[].allow_private", "gitbook_api", "secret_overlap", "sources[].name", "sources[].secrets",
		"destinations[].name", "destinations[].formerly", "destinations[].url", "destinations[].secrets", "destinations[].events", "destinations[].spaces", "destinations[].sites", "destinations[].match",
		"destinations[].timeout", "destinations[].retries", "destinations[].retry_after_max", "destinations[].hold_after",
		"destinations[].notify", "destinations[].concurrency", "destinations[].rate_limit", "destinations[].redact", "destinations[].headers",
		"destinations[].allow_private", "unknown_patience", "egress_proxy", "worker", "max_body_bytes", "max_requests",
	}, keyPaths(reflect.TypeFor[Config](), ""))
}

// TestDocumentListsEveryKey requires each key in backticks in a row of a table.
func TestDocumentListsEveryKey(t *testing.T) {
	t.Parallel()

	document, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	var rows strings.Builder
	for line := range strings.Lines(string(document)) {
		if strings.HasPrefix(line, "|") {
			rows.WriteString(line)
		}
	}
	for _, path := range keyPaths(reflect.TypeFor[Config](), "") {
		require.Contains(t, rows.String(), "`"+path+"`")
	}
}

// The examples are configurations that load.
func TestExamplesOfTheDocumentLoad(t *testing.T) {
	document, err := os.ReadFile("../docs/configuration.md")
	require.NoError(t, err)
	for _, name := range []string{
		"COURIER_TOKEN", "GITBOOK_SECRET", "SEARCH_SECRET", "SEARCH_SECRET_OLD", "SEARCH_KEY", "ANALYTICS_SECRET", "CHAT_SECRET",
	} {
		t.Setenv(name, "a-secret-of-"+name)
	}
	t.Setenv("COURIER_KEY", "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
	examples := 0
	for _, block := range strings.Split(string(document), "```yaml\n")[1:] {
		yaml, _, ended := strings.Cut(block, "```")
		require.True(t, ended)
		c, err := Parse([]byte(yaml), "courier.yaml", Options{})
		require.NoError(t, err, yaml)
		require.Empty(t, c.Warnings(), yaml)
		examples++
	}
	require.Equal(t, 3, examples)
}
