// Command courierctl is Courier for the hands: it verifies and signs webhooks, receives them on this
// machine, sends sample events, and asks the API of a Courier about deliveries. It knows the wire
// and the API, and nothing of how they are made.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := newRoot(environment{in: os.Stdin, out: os.Stdout, getenv: os.Getenv, now: time.Now}).ExecuteContext(ctx)
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errRefused):
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "courierctl:", err)
		os.Exit(2)
	}
}

// errRefused is the end of a command that has said why itself.
var errRefused = errors.New("refused")
