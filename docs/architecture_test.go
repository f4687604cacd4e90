package docs_test

import (
	"bytes"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every row of the table of packages is a rule of the linter, by its name.
func TestArchitectureIsEnforced(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("architecture.md")
	require.NoError(t, err)
	linter, err := os.ReadFile("../.golangci.yml")
	require.NoError(t, err)
	_, table, found := bytes.Cut(document, []byte("| package | job | must not know |"))
	require.True(t, found)
	table, _, found = bytes.Cut(table, []byte("\n\n"))
	require.True(t, found)
	rows := regexp.MustCompile("(?m)^\\| ((?:`[a-z/]+`(?:, )?)+) \\|").FindAllStringSubmatch(string(table), -1)
	require.Greater(t, len(rows), 20)
	for _, row := range rows {
		for _, name := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(row[1], -1) {
			rule := regexp.MustCompile(`(?m)^        ` + regexp.QuoteMeta(name[1]) + `:\n          list-mode: (strict|lax)\n          files: \["\$\{config-path\}/` + regexp.QuoteMeta(name[1]) + `/`)
			require.Regexp(t, rule, string(linter), "no rule for %s", name[1])
		}
	}
}
