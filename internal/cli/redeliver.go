package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// job is a bulk redelivery as the API shows it.
type job struct {
	ID          string `json:"id"`
	Status      string `json:"status"`
	Found       int    `json:"found"`
	Started     int    `json:"started"`
	Skipped     int    `json:"skipped"`
	Failed      int    `json:"failed"`
	Delivered   int    `json:"delivered"`
	Undelivered int    `json:"undelivered"`
	Waiting     int    `json:"waiting"`
}

// jobInterval is how often a job's progress is asked for.
const jobInterval = time.Second

func newRedeliver(c *cli) *cobra.Command {
	var (
		f                 filter
		all, dryRun, wait bool
		perSecond         int
	)
	command := &cobra.Command{
		Use:   "redeliver [DESTINATION EVENT_ID]",
		Short: "Send a delivery again, or all that match a filter",
		Long: "Send a delivery that is over again, or, as a job of the Courier, all that match a filter.\n\n" +
			"With a filter the status is undelivered unless --status says another one. Count first, with --dry-run.",
		Example: "  courierctl redeliver search-index evt_2345678901bcdefg\n" +
			"  courierctl redeliver --destination search-index --since 1d --dry-run",
		Args: cobra.MatchAll(cobra.MaximumNArgs(2), func(command *cobra.Command, args []string) error {
			filtered := false
			for _, name := range []string{"destination", "type", "status", "since", "until", "all"} {
				filtered = filtered || command.Flags().Changed(name)
			}
			switch {
			case len(args) == 1:
				return errors.New("a delivery is named by DESTINATION and EVENT_ID")
			case len(args) == 2 && (filtered || dryRun):
				return errors.New("give DESTINATION and EVENT_ID, or filters, not both")
			case len(args) == 0 && !filtered:
				return errors.New("say which: DESTINATION EVENT_ID, filters such as --destination and --since, or --all")
			}
			return nil
		}),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 2 {
				return c.redeliverOne(command.Context(), args[0], args[1])
			}
			values, err := f.values(c.now())
			if err != nil {
				return err
			}
			request := make(map[string]any)
			for name, value := range values {
				request[name] = value
			}
			if all {
				request["all"] = true
			}
			if dryRun {
				request["dryRun"] = true
			}
			if command.Flags().Changed("per-second") {
				request["perSecond"] = perSecond
			}
			return c.redeliverMany(command.Context(), request, wait || dryRun)
		},
	}
	f.flags(command)
	command.Flags().BoolVar(&all, "all", false, "every undelivered delivery")
	command.Flags().BoolVar(&dryRun, "dry-run", false, "count them, and send nothing")
	command.Flags().BoolVar(&wait, "wait", false, "wait until all have been started")
	command.Flags().IntVar(&perSecond, "per-second", 50, "the most that are started in a second")
	return command
}

func (c *cli) redeliverOne(ctx context.Context, destination, eventID string) error {
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodPost, deliveryPath(destination, eventID)+"/redeliver", nil, &raw); err != nil {
		return err
	}
	if c.output == "json" {
		return c.printJSON(raw)
	}
	_, err := fmt.Fprintf(c.out, "It is sent again. Watch it: courierctl deliveries %s %s\n", destination, eventID)
	return err
}

func (c *cli) redeliverMany(ctx context.Context, request map[string]any, wait bool) error {
	body, err := json.Marshal(request)
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodPost, "/api/redeliveries", body, &raw); err != nil {
		return err
	}
	var j job
	for {
		if err := json.Unmarshal(raw, &j); err != nil {
			return err
		}
		if !wait || j.Status != "running" {
			break
		}
		if err := pause(ctx, jobInterval); err != nil {
			return err
		}
		if err := c.call(ctx, http.MethodGet, "/api/redeliveries/"+j.ID, nil, &raw); err != nil {
			return err
		}
	}
	if c.output == "json" {
		return c.printJSON(raw)
	}
	counts := fmt.Sprintf("%d found, %d started, %d skipped, %d could not be started", j.Found, j.Started, j.Skipped, j.Failed)
	if request["dryRun"] == true {
		counts = fmt.Sprintf("%d found; nothing was sent", j.Found)
	}
	_, err = fmt.Fprintf(c.out, "job %s: %s; %s\n", j.ID, j.Status, counts)
	return err
}

// pause waits, unless ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
