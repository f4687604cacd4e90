package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gitbook-courier/courier/internal/version"
)

// environment is what the commands need of the process.
type environment struct {
	in     io.Reader
	out    io.Writer
	getenv func(string) string
	now    func() time.Time
}

// Variables that the commands read. Secrets come in no other way, because other users of a machine
// can read command lines.
const (
	urlVariable          = "COURIER_URL"
	tokenVariable        = "COURIER_TOKEN"
	secretVariable       = "WEBHOOK_SECRET"
	sourceSecretVariable = "GITBOOK_SECRET"
)

// defaultURL is where make standalone listens.
const defaultURL = "http://127.0.0.1:8080"

// cli is what the commands share.
type cli struct {
	environment
	// url is that of the Courier to ask.
	url string
	// output is text or json.
	output string
}

func newRoot(program string, e environment) *cobra.Command {
	c := &cli{environment: e}
	info := version.Of()
	root := &cobra.Command{
		Use:   program,
		Short: "Verify and sign webhooks, receive them here, and ask a Courier about deliveries",
		Long: "Verify and sign webhooks, receive them here, and ask a Courier about deliveries.\n\n" +
			"Secrets are read from variables: " + secretVariable + " (several with commas between them), " +
			sourceSecretVariable + ", and " + tokenVariable + " for a Courier that wants a token.",
		Version:       fmt.Sprintf("%s (commit %s)", info.Version, info.Commit),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if c.output != "text" && c.output != "json" {
				return fmt.Errorf("--output must be text or json, not %q", c.output)
			}
			return nil
		},
	}
	root.SetIn(e.in)
	root.SetOut(e.out)
	url := e.getenv(urlVariable)
	if url == "" {
		url = defaultURL
	}
	root.PersistentFlags().StringVar(&c.url, "url", url, "the `address` of the Courier; "+urlVariable)
	root.PersistentFlags().StringVarP(&c.output, "output", "o", "text", "text, or json for programs")
	root.AddCommand(
		newVerify(c), newSign(c), newListen(c), newSend(c),
		newDeliveries(c), newRedeliver(c), newTail(c), newCatchUp(c),
	)
	return root
}

// secrets are those of a variable, separated by commas.
func (c *cli) secrets(variable string) ([]string, error) {
	value := c.getenv(variable)
	if value == "" {
		return nil, fmt.Errorf("set %s to the webhook's secret", variable)
	}
	return strings.Split(value, ","), nil
}

// printJSON prints a value for programs.
func (c *cli) printJSON(value any) error {
	encoder := json.NewEncoder(c.out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// table prints rows in columns.
func (c *cli) table(rows [][]string) error {
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(w, strings.Join(row, "\t")); err != nil {
			return err
		}
	}
	return w.Flush()
}

// shown is a text from outside as a terminal may show it: without control characters, which could
// move its cursor or hide lines.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\ufffd'
		}
		return r
	}, text)
}
