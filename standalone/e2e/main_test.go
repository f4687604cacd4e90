// Package e2e_test runs Courier's real programs as processes of their own and watches them from
// outside: over HTTP, as a receiver of webhooks, through Temporal's API and in the browser. It
// knows the wire and the stored names, and nothing of how the programs are made.
package e2e_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	// The programs are built by a go command of their own. Without this dependency a change of
	// their code would leave the tests' cached results.
	_ "github.com/gitbook-courier/courier/app"
)

var (
	update      = flag.Bool("update", false, "rewrite the histories of a release in workflows/testdata/histories")
	version     = flag.String("release", "", "with -update: the `version` whose histories they are, such as v0.3.0; the CHANGELOG's newest by default")
	screenshots = flag.String("screenshots", "", "save pictures of the Temporal UI and the settings screen in this `folder`")
)

// binaries is the folder of the programs: standalone, starter and worker.
var binaries string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "courier-e2e-")
	if err == nil {
		defer func() { _ = os.RemoveAll(dir) }()
		binaries = dir
		err = build("..", ".")
	}
	if err == nil {
		err = build("../..", "./starter", "./worker")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// build builds packages of the module in a folder.
func build(module string, packages ...string) error {
	args := append([]string{"-C", module, "build", "-o", binaries + string(filepath.Separator)}, packages...)
	cmd := exec.CommandContext(context.Background(), "go", args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %v: %w", args, err)
	}
	return nil
}
