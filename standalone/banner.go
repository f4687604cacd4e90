package main

import (
	"cmp"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/standalone/engine"
)

// Queries of the Temporal UI that an operator needs first.
const (
	givenUp = "WorkflowType='Delivery' AND ExecutionStatus='Failed'"
	waiting = "WorkflowType='Delivery' AND ExecutionStatus='Running'"
)

// banner says what was opened, and how to send a first event.
func banner(s settings, c config.Config, temporal *engine.Engine) string {
	var b strings.Builder
	line := func(what, where string) { fmt.Fprintf(&b, "  %-14s %s\n", what, where) }
	b.WriteString("\nCourier runs. Ctrl-C stops it; the next start goes on with what is unfinished.\n\n")
	line("Events in", eventsURL(c))
	line("Console", strings.TrimSuffix(eventsURL(c), "/v1")+"/console")
	if temporal.UIURL() != "" {
		line("Temporal UI", temporal.UIURL()+"/namespaces/default/workflows")
		line("  given up", temporal.UIURL()+"/namespaces/default/workflows?query="+url.QueryEscape(givenUp))
		line("  waiting", temporal.UIURL()+"/namespaces/default/workflows?query="+url.QueryEscape(waiting))
	}
	line("Temporal gRPC", temporal.Address())
	if admin := cmp.Or(c.AdminListen, config.DefaultAdminListen); admin != config.AdminOff {
		line("Metrics", "http://"+admin+"/metrics")
	}
	if s.config == "" {
		line("Demo receiver", "http://"+s.demoListen+" verifies and prints each webhook")
	}
	if data, err := filepath.Abs(s.data); err == nil {
		line("Data", data)
	}
	b.WriteString("\nSend an event:\n")
	for _, eventType := range gitbook.DocumentedEvents() {
		// The shell makes an id that differs each time the command is pasted.
		event := gitbook.Sample(eventType, "evt_"+eventType+"_'$(date +%s)'")
		fmt.Fprintf(&b, "\n%s\n", curl(c, string(event)))
	}
	b.WriteString("\n")
	return b.String()
}

// curl is a command that posts an event as GitBook's runtime does.
func curl(c config.Config, event string) string {
	environment, token := "{}", ""
	for _, installation := range c.Installations {
		if installation.ID != "*" {
			environment = fmt.Sprintf(`{"installation":{"id":%q}}`, installation.ID)
			break
		}
	}
	if len(c.Access.ForEvents()) > 0 {
		token = ` -H "Authorization: Bearer $COURIER_TOKEN"`
	}
	return fmt.Sprintf("curl -i %s%s \\\n  -F environment='%s' \\\n  -F event='%s'", eventsURL(c), token, environment, event)
}

// eventsURL is where events are taken in.
func eventsURL(c config.Config) string {
	scheme := "http"
	if c.TLS.Certificate != "" {
		scheme = "https"
	}
	return scheme + "://" + c.Listen + "/v1"
}
