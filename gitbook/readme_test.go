package gitbook_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
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

// Ensure the README's receiver, pasted into a program, takes webhooks that arrive at the same time.
// The race detector watches the program.
func TestReadmeReceiverTakesWebhooksInParallel(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "main.go")
	source := pastedHead + goBlock(t, "../README.md") + pastedTail
	require.NoError(t, os.WriteFile(program, []byte(source), 0o600))

	out, err := exec.CommandContext(t.Context(), "go", "run", "-race", program).CombinedOutput()

	require.NoError(t, err, "%s", out)
	require.Equal(t, 64, strings.Count(string(out), "received page_feedback evt_"), "%s", out)
	require.Equal(t, 128, strings.Count(string(out), "200 OK"), "%s", out)
}

// The program around the pasted receiver: it sends 64 events, each twice.
const (
	pastedHead = `package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	"github.com/gitbook-courier/courier/gitbook"
)

func main() {
`
	pastedTail = `
	var senders sync.WaitGroup
	for i := range 128 {
		senders.Go(func() {
			body := fmt.Sprintf("{\"eventId\":\"evt_%d\",\"type\":\"page_feedback\"}", i%64)
			request, err := http.NewRequest(http.MethodPost, server.URL, strings.NewReader(body))
			if err != nil {
				panic(err)
			}
			request.Header.Set(gitbook.SignatureHeader, gitbook.Sign(time.Now(), []byte(body), "the secret"))
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				panic(err)
			}
			response.Body.Close()
			fmt.Println(response.Status)
		})
	}
	senders.Wait()
}
`
)

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
