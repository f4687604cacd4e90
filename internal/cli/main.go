// Package cli is Courier's command line for people. It knows the wire and the APIs of Courier and of
// GitBook, and nothing of how Courier is made.
package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// errRefused is the end of a command that has said why itself.
var errRefused = errors.New("refused")

// Main runs a command line of the program with that name, and returns the exit code: 0, 1 for a
// webhook that does not verify, or 2 after an error, which it prints.
func Main(program string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	root := newRoot(program, environment{in: os.Stdin, out: os.Stdout, getenv: os.Getenv, now: time.Now})
	root.SetArgs(args)
	switch err := root.ExecuteContext(ctx); {
	case err == nil:
		return 0
	case errors.Is(err, errRefused):
		return 1
	default:
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		return 2
	}
}

// Has is whether a command line begins with one of the commands.
func Has(args []string) bool {
	if len(args) == 0 {
		return false
	}
	commands := newRoot("", environment{getenv: func(string) string { return "" }}).Commands()
	return slices.ContainsFunc(commands, func(c *cobra.Command) bool { return c.Name() == args[0] })
}
