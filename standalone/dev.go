package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/gitbook-courier/courier/app"
	"github.com/gitbook-courier/courier/internal/gitbookapi"
)

const (
	// devCommand runs Courier as an integration's development target.
	devCommand = "dev"
	// tokenVariable has the user's token for GitBook's API. No flag has it: other users of the
	// machine can read command lines.
	tokenVariable = "GITBOOK_TOKEN"
	// unregisterTimeout bounds the call at the end.
	unregisterTimeout = 10 * time.Second
	// maxTunnelURL is the longest that GitBook's API takes.
	maxTunnelURL = 256
)

// development is an integration whose requests GitBook sends to this process.
type development struct {
	integration, publicURL, api string
	all                         bool
}

func (d *development) flags(f *app.Flags) {
	f.StringVar(&d.integration, "integration", "", "the `name` of the integration, which must be published")
	f.StringVar(&d.publicURL, "public-url", "", "the `URL` at which GitBook reaches this Courier, such as a tunnel's")
	f.StringVar(&d.api, "gitbook-api", gitbookapi.DefaultURL, "the `address` of GitBook's API")
	f.BoolVar(&d.all, "all", false, "take the requests of all organizations, not only those of the integration's own")
}

// client is the client that registers, or an error about what is missing.
func (d *development) client() (*gitbookapi.Client, error) {
	token := os.Getenv(tokenVariable)
	public, err := url.Parse(d.publicURL)
	switch {
	case d.integration == "":
		return nil, errors.New("--integration is required: the name in the integration's manifest")
	case err != nil, public.Scheme != "https" && public.Scheme != "http", public.Host == "", public.User != nil:
		return nil, errors.New("--public-url must be a URL with https:// and a host, such as a tunnel's")
	case len(d.publicURL) > maxTunnelURL:
		return nil, fmt.Errorf("--public-url must have at most %d characters", maxTunnelURL)
	case token == "":
		return nil, fmt.Errorf("set %s to an API token of GitBook's developer settings", tokenVariable)
	}
	return gitbookapi.New(d.api, token, d.integration), nil
}

// register has GitBook send the integration's requests here, until the returned function is called.
func (d *development) register(ctx context.Context) (unregister func() error, err error) {
	client, err := d.client()
	if err != nil {
		return nil, err
	}
	if err := client.StartDevelopment(ctx, d.publicURL, d.all); err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stdout, "\nGitBook sends the requests of %s to %s until this stops.\n", d.integration, d.publicURL)
	return func() error {
		// The program is stopping: its context is done.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unregisterTimeout)
		defer cancel()
		if err := client.StopDevelopment(ctx); err != nil {
			return fmt.Errorf("GitBook still sends requests here; run %s again, or publish the integration: %w", devCommand, err)
		}
		return nil
	}, nil
}
