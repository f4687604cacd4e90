package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	link       = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading    = regexp.MustCompile(`(?m)^#+ (.+)$`)
	codeBlock  = regexp.MustCompile("(?ms)^ *```.*?^ *```$")
	notInSlugs = regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
)

// Every link in a document leads to a file of the repository, and to a heading in it.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	for _, document := range documents(t) {
		text := codeBlock.ReplaceAllString(read(t, document), "")
		for _, found := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			path, anchor, _ := strings.Cut(found[1], "#")
			target := document
			if path != "" {
				target = filepath.Join(filepath.Dir(document), path)
			}
			_, err := os.Stat(target)
			require.NoError(t, err, "%s links to %s", document, found[1])
			if anchor != "" {
				require.Contains(t, anchors(t, target), anchor, "%s links to %s", document, found[1])
			}
		}
	}
}

// The index lists every decision.
func TestIndexOfDecisionsIsComplete(t *testing.T) {
	t.Parallel()
	index := read(t, "decisions/README.md")
	decisions, err := filepath.Glob("decisions/0*.md")
	require.NoError(t, err)
	require.NotEmpty(t, decisions)
	for _, decision := range decisions {
		require.Contains(t, index, "]("+filepath.Base(decision)+")")
	}
}

// documents are the paths of all documents of the repository.
func documents(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"../*.md", "*.md", "decisions/*.md"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found, pattern)
		all = append(all, found...)
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// anchors are the anchors of a document's headings, as GitHub makes them.
func anchors(t *testing.T, path string) []string {
	t.Helper()
	var all []string
	for _, found := range heading.FindAllStringSubmatch(codeBlock.ReplaceAllString(read(t, path), ""), -1) {
		plain := notInSlugs.ReplaceAllString(strings.ToLower(found[1]), "")
		all = append(all, strings.ReplaceAll(plain, " ", "-"))
	}
	return all
}
