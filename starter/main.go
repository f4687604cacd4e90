// Command starter takes GitBook's events in over HTTP and has their deliveries stored in Temporal,
// where a worker finds them; with "worker: embedded" it is a worker too.
package main

import (
	"os"

	"github.com/gitbook-courier/courier/app"
)

func main() {
	os.Exit(app.Main("courier-starter", os.Args[1:], app.StarterProgram))
}
