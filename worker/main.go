// Command worker delivers what the starter stored: it runs Courier's workflows and activities
// against Temporal.
package main

import (
	"os"

	"github.com/gitbook-courier/courier/app"
)

func main() {
	os.Exit(app.Main("courier-worker", os.Args[1:], app.WorkerProgram))
}
