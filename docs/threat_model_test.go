package docs_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	testName    = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	testFunc    = regexp.MustCompile(`(?m)^func (Test[A-Za-z0-9]+)\(`)
	linkedFiles = regexp.MustCompile(`\]\(([a-z0-9./-]+\.md)(?:#[a-z-]+)?\)`)
)

// The threat model names tests and decisions as evidence, which must exist.
func TestThreatModelNamesWhatExists(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("threat-model.md")
	require.NoError(t, err)

	exists := make(map[string]bool)
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		for _, name := range testFunc.FindAllSubmatch(source, -1) {
			exists[string(name[1])] = true
		}
		return err
	}))
	named := testName.FindAllSubmatch(document, -1)
	require.NotEmpty(t, named)
	for _, name := range named {
		require.True(t, exists[string(name[1])], "no test is called %s", name[1])
	}
	for _, file := range linkedFiles.FindAllSubmatch(document, -1) {
		require.FileExists(t, string(file[1]))
	}
}
