package cli

import (
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gitbook-courier/courier/gitbook"
)

func newSign(c *cli) *cobra.Command {
	var id, at string
	command := &cobra.Command{
		Use:   "sign [FILE]",
		Short: "Print the headers with which Courier would send a body",
		Long: "Print the headers with which Courier would send a body.\n\n" +
			"FILE has the body, byte for byte; without it, or for -, the standard input is read. " + secretVariable + " has the secret, or several\n" +
			"with commas between them, the newest first.",
		Example: "  WEBHOOK_SECRET=… courierctl sign body.json",
		Args:    cobra.MaximumNArgs(1),
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
			body, err := c.readInput(file)
			if err != nil {
				return err
			}
			if id == "" {
				event, err := gitbook.ParseEvent(body)
				if err != nil {
					return fmt.Errorf("%w; give the id with --id for a body that is no event", err)
				}
				id = event.ID
			}
			headers := [][2]string{
				{gitbook.SignatureHeader, gitbook.Sign(now, body, secrets...)},
				{gitbook.WebhookIDHeader, id},
				{gitbook.WebhookTimestampHeader, strconv.FormatInt(now.Unix(), 10)},
				{gitbook.WebhookSignatureHeader, gitbook.SignStandard(id, now, body, secrets...)},
			}
			if c.output == "json" {
				named := make(map[string]string)
				for _, header := range headers {
					named[header[0]] = header[1]
				}
				return c.printJSON(named)
			}
			for _, header := range headers {
				if _, err := fmt.Fprintf(c.out, "%s: %s\n", header[0], header[1]); err != nil {
					return err
				}
			}
			return nil
		},
	}
	command.Flags().StringVar(&id, "id", "", "the `id` in webhook-id; the body's eventId by default")
	command.Flags().StringVar(&at, "at", "", "the `time` of the signature, in RFC 3339 or unix seconds; now by default")
	return command
}
