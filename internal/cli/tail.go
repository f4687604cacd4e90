package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// maxTailed bounds how many deliveries one look of tail considers.
const maxTailed = 1000

func newTail(c *cli) *cobra.Command {
	var (
		f        filter
		interval time.Duration
	)
	command := &cobra.Command{
		Use:     "tail",
		Short:   "Print deliveries as they begin and as their status changes, until Ctrl-C",
		Example: "  courierctl tail --destination search-index",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			if interval < 100*time.Millisecond {
				return errors.New("--interval must be at least 100ms")
			}
			if f.since == "" {
				f.since = "1m"
			}
			values, err := f.values(c.now())
			if err != nil {
				return err
			}
			err = c.tail(command.Context(), values, interval)
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
	f.flags(command)
	f.placeFlags(command)
	command.Flags().DurationVar(&interval, "interval", 2*time.Second, "how often to look")
	return command
}

// tail prints each delivery when its status is not the one that it was printed with last.
func (c *cli) tail(ctx context.Context, filters map[string]string, interval time.Duration) error {
	seen := make(map[string]string)
	for {
		all, err := c.list(ctx, filters, maxTailed)
		if err != nil {
			return err
		}
		for i := len(all) - 1; i >= 0; i-- { // the oldest first
			var d delivery
			if err := json.Unmarshal(all[i], &d); err != nil {
				return err
			}
			key, state := d.EventID+"@"+d.Destination, fmt.Sprint(d.Status, d.AttemptCount)
			if seen[key] == state {
				continue
			}
			seen[key] = state
			if err := c.printTailed(all[i], d); err != nil {
				return err
			}
		}
		if err := pause(ctx, interval); err != nil {
			return err
		}
	}
}

func (c *cli) printTailed(raw json.RawMessage, d delivery) error {
	if c.output == "json" { // one line each
		_, err := fmt.Fprintln(c.out, string(raw))
		return err
	}
	attempts := "1 attempt"
	if d.AttemptCount != 1 {
		attempts = fmt.Sprintf("%d attempts", d.AttemptCount)
	}
	line := []string{clock(d.AcceptedAt), fmt.Sprintf("%-11s", shown(d.Status)), shown(d.Type), "→", shown(d.Destination), shown(d.EventID), attempts}
	if d.Failure != "" {
		line = append(line, shown(d.Failure))
	}
	_, err := fmt.Fprintln(c.out, strings.Join(line, "  "))
	return err
}
