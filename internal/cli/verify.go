package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newVerify(c *cli) *cobra.Command {
	var (
		body, at string
		headers  []string
		within   time.Duration
	)
	command := &cobra.Command{
		Use:   "verify [FILE]",
		Short: "Say whether a webhook is genuine, and if not, why",
		Long: "Say whether a webhook is genuine, and if not, why.\n\n" +
			"FILE has the request as it came: headers, an empty line, the body. Without it, or for -, the standard input is read.\n" +
			secretVariable + " has the receiver's secret, or several with commas between them. The exit code is 0 for a genuine webhook and 1 for any other.",
		Example: "  WEBHOOK_SECRET=… courierctl verify request.txt\n" +
			"  WEBHOOK_SECRET=… courierctl verify --body body.json --header 'X-GitBook-Signature: t=…,v1=…'",
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			secrets, err := c.secrets(secretVariable)
			if err != nil {
				return err
			}
			now, err := c.moment(at)
			if err != nil {
				return err
			}
			file := "-"
			if len(args) > 0 {
				file = args[0]
			}
			r, err := c.readReceived(file, body, headers)
			if err != nil {
				return err
			}
			return c.printVerdict(diagnose(r, secrets, now, within))
		},
	}
	command.Flags().StringVar(&body, "body", "", "the `file` of the body alone, byte for byte; the headers come with --header")
	command.Flags().StringArrayVarP(&headers, "header", "H", nil, "a `header` of the request, 'Name: value'; may be repeated")
	command.Flags().StringVar(&at, "at", "", "the `time` when it came, in RFC 3339 or unix seconds; now by default")
	command.Flags().DurationVar(&within, "tolerance", 5*time.Minute, "how far the signature's time may be from that")
	return command
}

// moment reads a time in RFC 3339 or in unix seconds. Empty is now.
func (c *cli) moment(text string) (time.Time, error) {
	if text == "" {
		return c.now(), nil
	}
	if seconds, err := strconv.ParseInt(text, 10, 40); err == nil {
		return time.Unix(seconds, 0), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q is no time; write it as 2026-01-31T15:04:05Z or in unix seconds", shown(text))
	}
	return t, nil
}

// printVerdict says what was found, and ends the command with an error when the webhook is not
// genuine.
func (c *cli) printVerdict(v verdict) error {
	if c.output == "json" {
		if err := c.printJSON(v); err != nil {
			return err
		}
	} else {
		word := "Not genuine."
		if v.Genuine {
			word = "Genuine."
		}
		lines := append([]string{word}, v.Findings...)
		if _, err := fmt.Fprintln(c.out, strings.Join(lines, "\n- ")); err != nil {
			return err
		}
	}
	if !v.Genuine {
		return errRefused
	}
	return nil
}
