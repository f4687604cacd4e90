package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStartupErrorsAreOneClearLine(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	taken := listener.Addr().String()

	used := t.TempDir()
	start(t, used, configuration())
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	fine := writeConfiguration(t, configuration())
	httpTaken := writeConfiguration(t, strings.Replace(configuration(), "127.0.0.1:0", taken, 1))
	broken := writeConfiguration(t, `listen: nowhere
sauces: []
destinations:
  - name: Search Index
    url: ftp://search.example.com
    secrets: []
    timeout: 1h
`)

	tests := []struct {
		name string
		give []string
		want []string // a pattern for each line
	}{
		{"HTTP port", []string{"--config", httpTaken}, []string{`listen: ` + taken + ` is taken by another process; choose another address with --listen, COURIER_LISTEN or the key listen`}},
		{"UI port", []string{"--config", fine, "--ui-listen", taken}, []string{`the UI port ` + taken + ` is taken by another process; set --ui-listen or COURIER_UI_LISTEN`}},
		{"Temporal's port", []string{"--config", fine, "--temporal-listen", taken}, []string{`the Temporal port ` + taken + ` is taken by another process; set --temporal-listen or COURIER_TEMPORAL_LISTEN`}},
		{"demo port", []string{"--demo-listen", taken}, []string{`the demo receiver's port ` + taken + ` is taken by another process.*`}},
		{"folder below a file", []string{"--config", fine, "--data", filepath.Join(file, "data")}, []string{`.*` + file + `.*not a directory.*`}},
		{"folder in use", []string{"--config", fine, "--data", used}, []string{`the data folder ` + used + ` is in use by another process.*; stop that one or set COURIER_DATA to another folder`}},
		{"no configuration file", []string{"--config", file + ".yaml"}, []string{`.*` + file + `.yaml: no such file or directory`}},
		{"broken configuration", []string{"--config", broken}, []string{
			broken + `:1: listen: .*`, broken + `:2: sauces: .*`, broken + `:4: destinations\[0\]\.name: .*`,
			broken + `:5: destinations\[0\]\.url: .*`, broken + `:6: destinations\[0\]\.secrets: .*`, broken + `:7: destinations\[0\]\.timeout: .*`,
		}},
		{"unexpected argument", []string{"start"}, []string{`unexpected argument "start"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// Of a flag that is given twice the last counts.
			usual := []string{"--data", filepath.Join(t.TempDir(), "data"), "--ui-listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0"}
			p := launch(t, "standalone", nil, append(usual, tt.give...)...)
			require.Equal(t, 1, p.exitCode(t, patience))
			require.Empty(t, p.stdout.String())
			said := lines(p.stderr.String())
			require.Len(t, said, len(tt.want), "%s", &p.stderr)
			said[0], _ = strings.CutPrefix(said[0], "courier: ")
			for i, want := range tt.want {
				require.Regexp(t, `^`+want+`$`, said[i])
			}
		})
	}
}

// A program that could not start holds nothing that it had already opened.
func TestFolderOfAFailedStartCanBeUsedAgain(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	data := t.TempDir()
	yaml := strings.Replace(configuration(), "127.0.0.1:0", listener.Addr().String(), 1)
	require.Equal(t, 1, launch(t, "standalone", nil, arguments(t, data, yaml)...).exitCode(t, patience))
	start(t, data, configuration()).stop(t)
}
