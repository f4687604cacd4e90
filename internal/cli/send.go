package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/gitbook-courier/courier/gitbook"
)

func newSend(c *cli) *cobra.Command {
	var id, file, source, environment string
	command := &cobra.Command{
		Use:   "send [TYPE]",
		Short: "Send a sample event to a Courier, as GitBook does",
		Long: "Send a sample event of a type to a Courier, as GitBook does: to /v1, or with --source to /webhooks/{source}, signed with the secret in\n" +
			sourceSecretVariable + ". The types are those of docs/events.md.",
		Example: "  courierctl send site_view\n  GITBOOK_SECRET=… courierctl send page_feedback --source docs\n  courierctl send --file event.json",
		Args:    cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return gitbook.EventTypes(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(command *cobra.Command, args []string) error {
			event, err := c.eventToSend(args, id, file)
			if err != nil {
				return err
			}
			var a answer
			if source != "" {
				a, err = c.relay(command, source, event)
			} else {
				a, err = c.runtime(command.Context(), event, environment)
			}
			if err == nil {
				err = a.failure()
			}
			if err != nil {
				return err
			}
			return c.printSent(a)
		},
	}
	command.Flags().StringVar(&id, "id", "", "the event's `id`; a new one by default")
	command.Flags().StringVar(&file, "file", "", "the `file` of the event, instead of a sample; - is the standard input")
	command.Flags().StringVar(&source, "source", "", "the `source` of the configuration to send as")
	command.Flags().StringVar(&environment, "environment", "{}", "the `JSON` that GitBook's runtime sends beside the event")
	return command
}

func (c *cli) eventToSend(args []string, id, file string) ([]byte, error) {
	switch {
	case file != "" && (len(args) > 0 || id != ""):
		return nil, errors.New("give a type, with --id if you like, or --file, not both")
	case file != "":
		return c.readInput(file)
	case len(args) == 0:
		return nil, fmt.Errorf("say which type; GitBook's are %s", strings.Join(gitbook.EventTypes(), ", "))
	}
	if id == "" {
		id = "evt_" + uuid.NewString()
	}
	return gitbook.Sample(args[0], id), nil
}

func (c *cli) relay(command *cobra.Command, source string, event []byte) (answer, error) {
	secret := c.getenv(sourceSecretVariable)
	if secret == "" {
		return answer{}, fmt.Errorf("set %s to the source's secret", sourceSecretVariable)
	}
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	header.Set(gitbook.SignatureHeader, gitbook.Sign(c.now(), event, secret))
	return c.do(command.Context(), http.MethodPost, "/webhooks/"+url.PathEscape(source), header, event)
}

// runtime posts an event as GitBook's runtime request.
func (c *cli) runtime(ctx context.Context, event []byte, environment string) (answer, error) {
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	fields := [][2]string{{"event", string(event)}, {"environment", environment}}
	if parsed, err := gitbook.ParseEvent(event); err == nil && parsed.Type == gitbook.EventFetch {
		fields = append(fields, [2]string{"fetch-body", `{"hello":"from courierctl"}`})
	}
	for _, field := range fields {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return answer{}, err
		}
	}
	if err := w.Close(); err != nil {
		return answer{}, err
	}
	header := http.Header{"Content-Type": {w.FormDataContentType()}, "Accept": {"application/json"}}
	return c.do(ctx, http.MethodPost, "/v1", header, form.Bytes())
}

// printSent says what became of the event.
func (c *cli) printSent(a answer) error {
	if c.output == "json" {
		_, err := fmt.Fprintln(c.out, strings.TrimSpace(string(a.body)))
		return err
	}
	ids := a.header.Get("Courier-Delivery")
	switch {
	case ids == "" && a.header.Get("Courier-Deliveries") == "":
		_, err := fmt.Fprintln(c.out, "Accepted, and no destination wants it: none lists this type, or its filters do not match.")
		return err
	case a.header.Get("Courier-Duplicate") == "true":
		_, err := fmt.Fprintln(c.out, "Stored before: "+shown(ids))
		return err
	default:
		_, err := fmt.Fprintln(c.out, "Stored: "+shown(ids))
		return err
	}
}
