// Command courierctl is Courier for the hands: it verifies and signs webhooks, receives them on this
// machine, sends sample events, and asks the API of a Courier about deliveries.
package main

import (
	"os"

	"github.com/gitbook-courier/courier/internal/cli"
)

func main() { os.Exit(cli.Main("courierctl", os.Args[1:])) }
