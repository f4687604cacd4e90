package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/gitbook-courier/courier/gitbook"
)

// Bounds of what the receiver takes.
const (
	listenTimeout = 10 * time.Second
	stopTimeout   = 2 * time.Second
)

func newListen(c *cli) *cobra.Command {
	var (
		address string
		status  int
	)
	command := &cobra.Command{
		Use:   "listen",
		Short: "Receive webhooks on this machine and show them, verified, until Ctrl-C",
		Long: "Receive webhooks on this machine and show them, verified, until Ctrl-C. " + secretVariable + " has the destination's secret, or several with\n" +
			"commas between them. A webhook that does not verify is shown with the reason, and answered 401.",
		Example: "  WEBHOOK_SECRET=… courierctl listen --address 127.0.0.1:3000",
		Args:    cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			secrets, err := c.secrets(secretVariable)
			if err != nil {
				return err
			}
			if status < 200 || status > 599 {
				return fmt.Errorf("--status must be 200 to 599, not %d", status)
			}
			var config net.ListenConfig
			listener, err := config.Listen(command.Context(), "tcp", address)
			if err != nil {
				return fmt.Errorf("--address: %w", err)
			}
			return c.listen(command.Context(), listener, &showing{cli: c, secrets: secrets, status: status})
		},
	}
	command.Flags().StringVar(&address, "address", "127.0.0.1:3000", "the `address` to listen on")
	command.Flags().IntVar(&status, "status", http.StatusOK, "the `status` to answer webhooks with, such as 503 to see retries")
	return command
}

func (c *cli) listen(ctx context.Context, listener net.Listener, h http.Handler) error {
	server := &http.Server{Handler: h, ReadTimeout: listenTimeout, WriteTimeout: listenTimeout}
	if c.output == "text" {
		if _, err := fmt.Fprintf(c.out, "listening on http://%s\n", listener.Addr()); err != nil {
			return err
		}
	}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		stopped <- server.Shutdown(stopping)
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

// showing is a receiver that shows what it gets.
type showing struct {
	*cli
	secrets []string
	status  int

	mu sync.Mutex
}

// ServeHTTP implements http.Handler.
func (s *showing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, gitbook.DefaultMaxBodyBytes))
	if err != nil {
		http.Error(w, "the body cannot be read", http.StatusBadRequest)
		return
	}
	got := received{header: r.Header, body: body}
	v := diagnose(got, s.secrets, s.now(), gitbook.DefaultTolerance)
	status := s.status
	if !v.Genuine {
		status = http.StatusUnauthorized
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.show(got, v, status)
	w.WriteHeader(status)
}

// show prints a webhook. A terminal that is gone is no reason to answer anything else.
func (s *showing) show(r received, v verdict, status int) {
	if s.output == "json" {
		_ = s.printJSON(map[string]any{"receivedAt": s.now().UTC(), "verdict": v, "answered": status, "headers": r.header, "body": string(r.body)})
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s UTC  attempt %s  answered %d\n", clock(s.now()), shown(r.header.Get(gitbook.AttemptHeader)), status)
	for _, finding := range v.Findings {
		fmt.Fprintf(&b, "  %s\n", finding)
	}
	names := make([]string, 0, len(r.header))
	for name := range r.header {
		if !slices.Contains([]string{"Accept-Encoding", "Authorization", "Cookie"}, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "  %s: %s\n", shown(name), shown(strings.Join(r.header[name], ", ")))
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, r.body, "  ", "  ") != nil {
		fmt.Fprintf(&b, "  %s\n", shown(string(r.body)))
	} else {
		for line := range strings.SplitSeq(pretty.String(), "\n") {
			fmt.Fprintf(&b, "  %s\n", shown(strings.TrimPrefix(line, "  ")))
		}
	}
	_, _ = io.WriteString(s.out, b.String())
}
