package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/spf13/cobra"
)

// filter are the flags by which deliveries are chosen.
type filter struct {
	destination, eventType, status, installation, space, site string
	since, until                                              string
}

func (f *filter) flags(command *cobra.Command) {
	command.Flags().StringVar(&f.destination, "destination", "", "only those to this `destination`")
	command.Flags().StringVar(&f.eventType, "type", "", "only those of this event `type`")
	command.Flags().StringVar(&f.status, "status", "", "only those with this `status`: pending, retrying, held, delivered, undelivered or cancelled")
	command.Flags().StringVar(&f.since, "since", "", "only those begun since this `time`, or so long ago: 2026-01-31T15:04:05Z or 2h")
	command.Flags().StringVar(&f.until, "until", "", "only those begun before this `time`, or so long ago")
}

func (f *filter) placeFlags(command *cobra.Command) {
	command.Flags().StringVar(&f.installation, "installation", "", "only those of this `installation`")
	command.Flags().StringVar(&f.space, "space", "", "only those of this `space`")
	command.Flags().StringVar(&f.site, "site", "", "only those of this `site`")
}

// values are the filters that are set, by the API's names.
func (f *filter) values(now time.Time) (map[string]string, error) {
	set := make(map[string]string)
	for name, value := range map[string]string{
		"destination": f.destination, "type": f.eventType, "status": f.status, "installation": f.installation, "space": f.space, "site": f.site,
	} {
		if value != "" {
			set[name] = value
		}
	}
	for name, value := range map[string]string{"since": f.since, "until": f.until} {
		if value == "" {
			continue
		}
		at, err := ago(value, now)
		if err != nil {
			return nil, fmt.Errorf("--%s: %w", name, err)
		}
		set[name] = at.UTC().Format(time.RFC3339)
	}
	return set, nil
}

// ago reads a time in RFC 3339, or how long ago it was: 90m, 2h, 3d.
func ago(text string, now time.Time) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	number, unit := text[:len(text)-1], text[len(text)-1:]
	if days, err := strconv.ParseFloat(number, 64); err == nil && unit == "d" && days >= 0 {
		return now.Add(-time.Duration(days * 24 * float64(time.Hour))), nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return time.Time{}, fmt.Errorf("%q must be a time, as 2026-01-31T15:04:05Z, or how long ago it was, as 90m, 2h or 3d", shown(text))
	}
	return now.Add(-d), nil
}

func newDeliveries(c *cli) *cobra.Command {
	var (
		f     filter
		limit int
	)
	command := &cobra.Command{
		Use:   "deliveries [DESTINATION EVENT_ID]",
		Short: "List deliveries, the newest first, or show one with all its attempts",
		Example: "  courierctl deliveries --status undelivered --since 1d\n" +
			"  courierctl deliveries search-index evt_2345678901bcdefg",
		Args: cobra.MatchAll(cobra.MaximumNArgs(2), func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return fmt.Errorf("a delivery is named by DESTINATION and EVENT_ID")
			}
			return nil
		}),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 2 {
				return c.show(command.Context(), args[0], args[1])
			}
			values, err := f.values(c.now())
			if err != nil {
				return err
			}
			all, err := c.list(command.Context(), values, limit)
			if err != nil {
				return err
			}
			return c.printList(all)
		},
	}
	f.flags(command)
	f.placeFlags(command)
	command.Flags().IntVar(&limit, "limit", 50, "the most to list")
	return command
}

// maxPage is the greatest page of the API.
const maxPage = 200

// list are up to limit deliveries, the newest first.
func (c *cli) list(ctx context.Context, filters map[string]string, limit int) (all []json.RawMessage, err error) {
	query := make(url.Values)
	for name, value := range filters {
		query.Set(name, value)
	}
	query.Set("limit", strconv.Itoa(max(1, min(limit, maxPage))))
	for {
		var p page
		if err := c.call(ctx, http.MethodGet, "/api/deliveries?"+query.Encode(), nil, &p); err != nil {
			return nil, err
		}
		all = append(all, p.Deliveries...)
		if p.NextCursor == "" || len(all) >= limit {
			return all[:min(len(all), limit)], nil
		}
		query.Set("cursor", p.NextCursor)
	}
}

func (c *cli) printList(all []json.RawMessage) error {
	if c.output == "json" {
		return c.printJSON(append([]json.RawMessage{}, all...))
	}
	rows := [][]string{{"ACCEPTED (UTC)", "STATUS", "DESTINATION", "TYPE", "EVENT", "ATTEMPTS", "FAILURE"}}
	for _, raw := range all {
		var d delivery
		if err := json.Unmarshal(raw, &d); err != nil {
			return err
		}
		rows = append(rows, d.row())
	}
	return c.table(rows)
}

func (d delivery) row() []string {
	return []string{
		clock(d.AcceptedAt), shown(d.Status), shown(d.Destination), shown(d.Type), shown(d.EventID), strconv.Itoa(d.AttemptCount), shown(d.Failure),
	}
}

// show prints a delivery with its attempts.
func (c *cli) show(ctx context.Context, destination, eventID string) error {
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, deliveryPath(destination, eventID), nil, &raw); err != nil {
		return err
	}
	if c.output == "json" {
		return c.printJSON(raw)
	}
	var d delivery
	if err := json.Unmarshal(raw, &d); err != nil {
		return err
	}
	rows := [][]string{
		{"event", shown(d.EventID)}, {"type", shown(d.Type)}, {"to", shown(d.Destination) + "  " + shown(d.URL)}, {"accepted", clock(d.AcceptedAt) + " UTC"}, {"status", shown(d.Status)},
	}
	if d.Failure != "" {
		rows = append(rows, []string{"failure", shown(d.Failure)})
	}
	if err := c.table(rows); err != nil {
		return err
	}
	for _, r := range d.Runs {
		if err := c.printRun(r); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) printRun(r run) error {
	if _, err := fmt.Fprintf(c.out, "\n%s of %s UTC: %s\n", shown(r.Reason), clock(r.StartedAt), shown(r.Status)); err != nil {
		return err
	}
	rows := [][]string{{"#", "STARTED (UTC)", "TOOK", "OUTCOME", "ANSWER", "THEN WAITED", "REPLY"}}
	for _, a := range r.Attempts {
		code, wait := "", ""
		if a.StatusCode != 0 {
			code = strconv.Itoa(a.StatusCode)
		} else {
			code = shown(a.Error)
		}
		if a.WaitMs > 0 {
			wait = fmt.Sprintf("%d ms", a.WaitMs)
		}
		reply := shown(a.Reply)
		if cut := []rune(reply); len(cut) > maxReply {
			reply = string(cut[:maxReply]) + "…"
		}
		rows = append(rows, []string{
			strconv.Itoa(a.Number), clock(a.StartedAt), fmt.Sprintf("%d ms", a.DurationMs), shown(a.Outcome), code, wait, reply,
		})
	}
	if r.NextAttemptAt != nil {
		rows = append(rows, []string{"", clock(*r.NextAttemptAt), "", "the next attempt is due"})
	}
	return c.table(rows)
}

// maxReply is how much of a reply a row shows, in characters.
const maxReply = 60
