package e2e_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Errors of a configuration show none of its secrets, wherever they were put by mistake.
func TestStartupErrorsShowNoSecret(t *testing.T) {
	t.Parallel()
	const (
		mark  = "MARK0A0SECRET0OF0THE0CONFIGURATIO"
		short = "MARK0SHORT"
	)
	dir := t.TempDir()
	pem := "-----BEGIN PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(mark, 3))) + "\n-----END PRIVATE KEY-----\n"
	file := filepath.Join(dir, "tls.key")
	require.NoError(t, os.WriteFile(file, []byte(pem), 0o600))
	toml := filepath.Join(dir, "temporal.toml")
	require.NoError(t, os.WriteFile(toml, []byte("[profile.default]\napi_key = "+mark+"\n"), 0o600))
	hook := func(keys string) string { return "destinations:\n  - name: hook\n" + keys }
	const url, secrets = "    url: https://hooks.example.com/\n", "    secrets: [\"${MARK}\"]\n"

	tests := []struct {
		name, give string
		// giveMore are further environment variables.
		giveMore []string
		want     string
	}{
		{"scheme of a URL", hook("    url: \"ftp://hooks.example.com/?key=${MARK}\"\n" + secrets), nil, "destinations[0].url"},
		{"credentials in a URL", hook("    url: \"https://user:${MARK}@hooks.example.com/\"\n" + secrets), nil, "destinations[0].url"},
		{"fragment of a URL", hook("    url: \"https://hooks.example.com/#${MARK}\"\n" + secrets), nil, "destinations[0].url"},
		{"escapes of a URL", hook("    url: \"https://hooks.example.com/%zz${MARK}\"\n" + secrets), nil, "destinations[0].url"},
		{"port of a URL", hook("    url: \"https://hooks.example.com:${MARK}/\"\n" + secrets), nil, "destinations[0].url"},
		{"length of a URL", hook("    url: \"https://hooks.example.com/?" + strings.Repeat("${MARK}", 80) + "\"\n" + secrets), nil, "destinations[0].url"},
		{"scheme of the proxy", "egress_proxy: \"ftp://user:${MARK}@127.0.0.1:1\"\n", nil, "egress_proxy"},
		{"escapes of the proxy", "egress_proxy: \"http://user:${MARK}%zz@127.0.0.1:1\"\n", nil, "egress_proxy"},
		{"proxy is a list", "egress_proxy: [\"${MARK}\", " + mark + "]\n", nil, "egress_proxy"},
		{"length of a token", "access: {tokens: [\"${SHORT}\"], api_tokens: [" + short + "]}\n", nil, "access.tokens[0]"},
		{"space in a token", "access: {event_tokens: [\"a ${MARK}\"]}\n", nil, "access.event_tokens[0]"},
		{"token given twice", "access: {tokens: [" + mark + "], event_tokens: [\"${MARK}\"]}\n", nil, "access.event_tokens[0]"},
		{"tokens are no list", "access: {tokens: " + mark + "}\n", nil, "access.tokens"},
		{"access is a token", "access: " + mark + "\n", nil, "access"},
		{"sealing key is not base64", "sealing_keys: [\"${MARK}!\"]\n", nil, "sealing_keys[0]"},
		{"length of a sealing key", "sealing_keys: [\"" + base64.StdEncoding.EncodeToString([]byte(mark)) + "\"]\n", nil, "sealing_keys[0]"},
		{"secrets are no list", hook(url + "    secrets: " + mark + "\n"), nil, "destinations[0].secrets"},
		{"secret is a list", hook(url + "    secrets: [[" + mark + "]]\n"), nil, "destinations[0].secrets[0]"},
		{"secret is a mapping", hook(url + "    secrets: [{value: " + mark + "}]\n"), nil, "destinations[0].secrets[0]"},
		{"secret given twice", hook(url + "    secrets: [" + mark + ", \"${MARK}\"]\n    timeout: 1h\n"), nil, "destinations[0]"},
		{"line break in a header", hook(url + secrets + "    headers: {Authorization: \"Bearer ${MARK}\\n" + mark + "\"}\n"), nil, "destinations[0].headers.Authorization"},
		{"header that is Courier's", hook(url + secrets + "    headers: {X-GitBook-Signature: \"${MARK}\"}\n"), nil, "destinations[0].headers.X-GitBook-Signature"},
		{"headers are no mapping", hook(url + secrets + "    headers: [\"Authorization: " + mark + "\"]\n"), nil, "destinations[0].headers"},
		{"variable that is not set", hook(url + "    secrets: [\"" + mark + "${MISSING}\"]\n"), nil, "${MISSING}"},
		{"secret as a duration", hook(url + secrets + "    timeout: ${MARK}\n"), nil, "destinations[0].timeout"},
		{"secret as a number", "max_requests: ${MARK}\nmax_body_bytes: ${MARK}\n", nil, "max_requests"},
		{"secret as a switch", "encrypt_payloads: ${MARK}\n", nil, "encrypt_payloads"},
		{"secret as a choice", "worker: ${MARK}\n", nil, "worker"},
		{"secret as an address", "listen: ${MARK}\n", nil, "listen"},
		{"secret as an origin", "ui_origins: [\"${MARK}\"]\n", nil, "ui_origins[0]"},
		{"secret as a name", hook(url + secrets + "    notify: \"${MARK}\"\n    events: [\"${MARK} \"]\n"), nil, "destinations[0].notify"},
		{"quote that does not end", "sources:\n  - name: docs\n    secrets: [\"" + mark + "\n", nil, "YAML"},
		{"bracket that does not end", "sources:\n  - name: docs\n    secrets: [" + mark + "\nlisten: x", nil, "YAML"},
		{"alias", "sources:\n  - name: docs\n    secrets: [*" + mark + "]\n", nil, "YAML"},
		{"tag", "sources:\n  - name: docs\n    secrets: [!" + mark + " x]\n", nil, "YAML tags"},
		{"colon", "sources:\n  - name: docs\n    secrets: a: " + mark + ": b\n", nil, "YAML"},
		{"percent sign", "sources:\n  - name: docs\n    secrets: [@" + mark + "]\n", nil, "YAML"},
		{"files of a certificate are one", "tls: {certificate: " + file + ", key: " + file + "}\n", nil, "tls.certificate"},
		{"certificate is the file's content", "tls: {certificate: \"${PEM}\", key: " + file + "}\n", nil, "tls.certificate"},
		{"private key is the file's content", "tls: {certificate: " + file + ", key: \"${PEM}\"}\n", nil, "tls.key"},
		{"Temporal's profiles", "", []string{"TEMPORAL_CONFIG_FILE=" + toml}, "TEMPORAL_* settings"},
		{"Temporal's client key", "", []string{
			"TEMPORAL_ADDRESS=127.0.0.1:1", "TEMPORAL_TLS_CLIENT_KEY_DATA=" + pem, "TEMPORAL_TLS_CLIENT_CERT_DATA=" + pem,
		}, "TEMPORAL_* settings"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			variables := append([]string{"MARK=" + mark, "SHORT=" + short, "PEM=" + pem, "TEMPORAL_ADDRESS=127.0.0.1:1"}, tt.giveMore...)
			p := launch(t, "starter", variables, "--config", writeConfiguration(t, tt.give))
			require.Equal(t, 1, p.exitCode(t, patience), tt.give)
			require.Contains(t, p.stderr.String(), tt.want)
			requireNone(t, "stdout and stderr", []byte(p.stdout.String()+p.stderr.String()), []string{mark, short})
		})
	}
}
