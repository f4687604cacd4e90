package gitbook_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The README quotes an example that runs, so that what it teaches works.
func TestReadmeQuotesTheExampleOfAReceiver(t *testing.T) {
	t.Parallel()

	quoted := goBlock(t, "../README.md")

	require.True(t, strings.HasPrefix(exampleBody(t, "ExampleVerifier_Handler"), quoted),
		"the Go block of the README is not the beginning of ExampleVerifier_Handler:\n%s", quoted)
	require.Contains(t, quoted, "verifier.Handler(", "the quotation ends before the point")
}

// goBlock is the one block of Go in a Markdown file.
func goBlock(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	const begin, end = "\n```go\n", "\n```\n"
	require.Equal(t, 1, strings.Count(string(text), begin), "blocks of Go in %s", path)
	_, rest, _ := strings.Cut(string(text), begin)
	block, _, found := strings.Cut(rest, end)
	require.True(t, found, "the block of Go in %s has no end", path)
	return block + "\n"
}

// exampleBody is the body of an example, without its indentation.
func exampleBody(t *testing.T, name string) string {
	t.Helper()
	const path = "example_test.go"
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	positions := token.NewFileSet()
	file, err := parser.ParseFile(positions, path, source, 0)
	require.NoError(t, err)
	for _, declaration := range file.Decls {
		function, ok := declaration.(*ast.FuncDecl)
		if !ok || function.Name.Name != name {
			continue
		}
		body := source[positions.Position(function.Body.Lbrace).Offset+1 : positions.Position(function.Body.Rbrace).Offset]
		return strings.TrimPrefix(strings.ReplaceAll(string(body), "\n\t", "\n"), "\n")
	}
	require.FailNow(t, "no such example", name)
	return ""
}
