package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/spf13/cobra"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/gitbookapi"
)

// gitBookTokenVariable has a user's token for GitBook's API.
const gitBookTokenVariable = "GITBOOK_TOKEN"

// caughtUp says what came of a catch-up.
type caughtUp struct {
	// Failed is how many events of the log have failed, and Skipped how many of them want more than
	// an acknowledgement, or a body that the log does not have.
	Failed  int `json:"failed"`
	Skipped int `json:"skipped"`
	// Stored is how many were taken in, Duplicates how many Courier had already, Unwanted how many
	// no destination wants, and Refused how many Courier refused.
	Stored     int `json:"stored"`
	Duplicates int `json:"duplicates"`
	Unwanted   int `json:"unwanted"`
	Refused    int `json:"refused"`
}

func newCatchUp(c *cli) *cobra.Command {
	var (
		integration, since, api string
		dryRun                  bool
	)
	command := &cobra.Command{
		Use:   "catch-up",
		Short: "Take in the events of GitBook's log that failed while Courier was down",
		Long: "Read GitBook's log of an integration's events, and post those that failed to this Courier's /v1, the oldest first. Events that it has\n" +
			"stored already are duplicates, so it does no harm to run it twice. " + gitBookTokenVariable + " has the token of a user who may publish the integration,\n" +
			tokenVariable + " one of Courier's.",
		Example: "  GITBOOK_TOKEN=… courierctl catch-up --integration courier-webhook --since 2h",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			from, err := ago(since, c.now())
			if err != nil {
				return fmt.Errorf("--since: %w", err)
			}
			token := c.getenv(gitBookTokenVariable)
			if token == "" {
				return fmt.Errorf("set %s to an API token of GitBook's developer settings", gitBookTokenVariable)
			}
			client := gitbookapi.New(api, token, integration)
			all, err := client.Events(command.Context(), from)
			if err != nil {
				return err
			}
			slices.Reverse(all)
			done, err := c.catchUp(command.Context(), environments{client, make(map[string]json.RawMessage)}, all, dryRun)
			if err == nil && done.Refused > 0 {
				err = fmt.Errorf("%d events were refused; Courier's metric courier_events_total says with which answers", done.Refused)
			}
			return errors.Join(err, c.printCaughtUp(done, dryRun))
		},
	}
	command.Flags().StringVar(&integration, "integration", "", "the integration's `name`")
	command.Flags().StringVar(&since, "since", "", "from when on: a `time`, or how long ago, such as 2h")
	command.Flags().StringVar(&api, "gitbook-api", gitbookapi.DefaultURL, "the `address` of GitBook's API")
	command.Flags().BoolVar(&dryRun, "dry-run", false, "count, and take nothing in")
	for _, required := range []string{"integration", "since"} {
		_ = command.MarkFlagRequired(required)
	}
	return command
}

// catchUp takes in what has failed of these events. It goes on after an event that Courier refuses,
// and stops when Courier cannot store.
func (c *cli) catchUp(ctx context.Context, e environments, all []gitbookapi.LoggedEvent, dryRun bool) (done caughtUp, err error) {
	for _, logged := range all {
		if logged.Status != gitbookapi.StatusFailed {
			continue
		}
		done.Failed++
		event, err := gitbook.ParseEvent(logged.Payload)
		if err != nil || !canCatchUp(event.Type) {
			done.Skipped++
			continue
		}
		if dryRun {
			continue
		}
		environment, err := e.of(ctx, logged, event)
		if err != nil {
			return done, err
		}
		a, err := c.runtime(ctx, logged.Payload, environment)
		if err != nil {
			return done, err
		}
		switch {
		case a.status >= http.StatusInternalServerError, a.status == http.StatusUnauthorized:
			// Courier, or what is in front of it, is in trouble: the rest waits for another run.
			return done, a.failure()
		case a.failure() != nil:
			done.Refused++
		case a.header.Get("Courier-Duplicate") == "true":
			done.Duplicates++
		case a.header.Get("Courier-Delivery") == "" && a.header.Get("Courier-Deliveries") == "":
			done.Unwanted++
		default:
			done.Stored++
		}
	}
	return done, nil
}

// canCatchUp is whether an event can be taken in later: nobody waits for its answer, and the log has
// all of it.
func canCatchUp(eventType string) bool {
	return !slices.Contains([]string{
		gitbook.EventUIRender, gitbook.EventTask, gitbook.EventFetch, gitbook.EventFetchPublishedScript, gitbook.EventFetchVisitorAuthentication,
		gitbook.EventContentComputeDocument, gitbook.EventContentComputeRevision,
	}, eventType)
}

func (c *cli) printCaughtUp(done caughtUp, dryRun bool) error {
	if c.output == "json" {
		return c.printJSON(done)
	}
	if dryRun {
		_, err := fmt.Fprintf(c.out, "%d events failed; %d of them can be taken in. Nothing was.\n", done.Failed, done.Failed-done.Skipped)
		return err
	}
	_, err := fmt.Fprintf(c.out, "%d events failed: %d stored, %d stored before, %d that no destination wants, %d refused, %d left out.\n",
		done.Failed, done.Stored, done.Duplicates, done.Unwanted, done.Refused, done.Skipped)
	return err
}

// environments makes what GitBook's runtime would send beside an event, from the installations as
// they are now.
type environments struct {
	client *gitbookapi.Client
	known  map[string]json.RawMessage
}

func (e environments) of(ctx context.Context, logged gitbookapi.LoggedEvent, event gitbook.Event) (string, error) {
	id := logged.InstallationID
	if id == "" {
		id = event.InstallationID
	}
	environment := map[string]json.RawMessage{}
	if id != "" {
		add := func(member, key string, get func() (json.RawMessage, error)) error {
			value, err := e.once(key, get)
			if value != nil {
				environment[member] = value
			}
			return err
		}
		err := add("installation", id, func() (json.RawMessage, error) { return e.client.Installation(ctx, id) })
		if err == nil && event.SpaceID != "" {
			err = add("spaceInstallation", id+" space "+event.SpaceID, func() (json.RawMessage, error) { return e.client.SpaceInstallation(ctx, id, event.SpaceID) })
		}
		if err == nil && event.SiteID != "" {
			err = add("siteInstallation", id+" site "+event.SiteID, func() (json.RawMessage, error) { return e.client.SiteInstallation(ctx, id, event.SiteID) })
		}
		if err != nil {
			return "", err
		}
	}
	encoded, err := json.Marshal(environment)
	return string(encoded), err
}

// once asks for each installation once. One that is gone by now is left out.
func (e environments) once(key string, get func() (json.RawMessage, error)) (json.RawMessage, error) {
	if value, ok := e.known[key]; ok {
		return value, nil
	}
	value, err := get()
	if gone, ok := errors.AsType[*gitbookapi.StatusError](err); ok && gone.Status == http.StatusNotFound {
		value, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	e.known[key] = value
	return value, nil
}
