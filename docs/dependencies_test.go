// Package docs_test compares the documentation with the repository. It reads files, and knows
// nothing of the programs.
package docs_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every module that a go.mod requires directly is listed with its reason, and none is listed that
// is not.
func TestDependenciesAreListedWithTheirReasons(t *testing.T) {
	t.Parallel()
	tests := []struct{ giveFile, giveSection string }{
		{"../go.mod", "Root module"},
		{"../gitbook/go.mod", "GitBook module"},
		{"../standalone/go.mod", "Standalone module"},
		{"../bench/go.mod", "Bench module"},
		{"../deploy/helm/go.mod", "Helm module"},
	}
	for _, tt := range tests {
		t.Run(tt.giveSection, func(t *testing.T) {
			t.Parallel()
			require.ElementsMatch(t, direct(t, tt.giveFile), listed(t, tt.giveSection))
		})
	}
}

// Receivers may have an older Go than Courier, and nothing but the standard library.
func TestReceiversNeedAnOlderGoAlone(t *testing.T) {
	t.Parallel()
	module := read(t, "../gitbook/go.mod")
	require.Contains(t, module, "\ngo 1.24.0\n")
	require.NotContains(t, module, "\ntoolchain ")
	require.Equal(t, []string{"github.com/stretchr/testify"}, direct(t, "../gitbook/go.mod"))
}

// direct are the modules that a go.mod requires directly.
func direct(t *testing.T, file string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "mod", "edit", "-json", file).Output()
	require.NoError(t, err)
	var parsed struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	require.NoError(t, json.Unmarshal(out, &parsed))
	var paths []string
	for _, required := range parsed.Require {
		if !required.Indirect {
			paths = append(paths, required.Path)
		}
	}
	require.NotEmpty(t, paths)
	return paths
}

var quoted = regexp.MustCompile("`([^`]+)`")

// listed are the modules of a section's table, each of which must have a reason.
func listed(t *testing.T, section string) []string {
	t.Helper()
	document, err := os.ReadFile("dependencies.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(document), "\n## "+section+"\n")
	require.True(t, found, "dependencies.md has no section %q", section)
	table, _, _ := strings.Cut(rest, "\n## ")
	var paths []string
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		require.Len(t, cells, 2, line)
		require.NotEmpty(t, strings.TrimSpace(cells[1]), "no reason: %s", line)
		for _, path := range quoted.FindAllStringSubmatch(cells[0], -1) {
			paths = append(paths, path[1])
		}
	}
	return paths
}
