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
		"listen", "tls.certificate", "tls.key", "access.tokens", "access.event_tokens", "access.api_tokens", "sealing_keys", "encrypt_payloads",
		"ui_origins", "installations[].id", "installations[].allow_private", "sources[].name", "sources[].secrets", "destinations[].name",
		"destinations[].url", "destinations[].secrets", "destinations[].events", "destinations[].spaces", "destinations[].sites",
		"destinations[].timeout", "destinations[].retries", "destinations[].retry_after_max", "destinations[].hold_after",
		"destinations[].notify", "destinations[].concurrency", "destinations[].rate_limit", "destinations[].redact", "destinations[].headers",
		"destinations[].allow_private", "egress_proxy", "worker", "max_body_bytes", "max_requests",
	}, keyPaths(reflect.TypeFor[Config](), ""))
}

// TestReadmeListsEveryKey requires each key in backticks in a row of a table.
func TestReadmeListsEveryKey(t *testing.T) {
	t.Parallel()

	readme, err := os.ReadFile("../README.md")
	require.NoError(t, err)
	var rows strings.Builder
	for line := range strings.Lines(string(readme)) {
		if strings.HasPrefix(line, "|") {
			rows.WriteString(line)
		}
	}
	for _, path := range keyPaths(reflect.TypeFor[Config](), "") {
		require.Contains(t, rows.String(), "`"+path+"`")
	}
}
