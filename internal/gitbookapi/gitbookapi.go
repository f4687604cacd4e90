// Package gitbookapi is a client of the parts of GitBook's API that concern an integration as a
// whole: its development target, the log of its events, and its installations. The requests and
// answers are those of @gitbook/api 0.202.0 (spec/openapi.json).
package gitbookapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// DefaultURL is where GitBook's API is.
const DefaultURL = "https://api.gitbook.com"

const (
	// timeout bounds one call.
	timeout = 30 * time.Second
	// maxAnswerBytes bounds what is read of an answer: a page of a thousand events.
	maxAnswerBytes = 64 << 20
	// pageSize is how many events a page of the log has; the API's most is 1000.
	pageSize = 200
)

// Client calls GitBook's API for one integration.
type Client struct {
	base, token, integration string
	client                   *http.Client
}

// New makes a client of the API at a base URL, such as DefaultURL, with a token of a user who may
// publish the integration with that name. It does no I/O.
func New(base, token, integration string) *Client {
	return &Client{
		base: strings.TrimSuffix(base, "/"), token: token, integration: integration,
		client: &http.Client{
			Timeout: timeout,
			// A redirect is a failure: the call would become a GET, and the token go elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// StatusError is an answer of the API that is no success.
type StatusError struct {
	// Call is the method and the path, such as "GET /v1/integrations/webhook/events".
	Call string
	// Status is the answer's status.
	Status int
}

func (e *StatusError) Error() string {
	hint := ""
	switch e.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		hint = "; the token must be that of a user who may publish the integration"
	case http.StatusNotFound:
		hint = "; is the integration's name right, and is it published?"
	}
	return fmt.Sprintf("GitBook's API answered %s with %d %s%s", e.Call, e.Status, http.StatusText(e.Status), hint)
}

// StartDevelopment has GitBook send the integration's requests to a URL of up to 256 characters
// instead of the script that it hosts: those of the integration's own organization, or with all
// those of every organization.
func (c *Client) StartDevelopment(ctx context.Context, tunnelURL string, all bool) error {
	return c.call(ctx, http.MethodPut, "/dev", map[string]any{"tunnelUrl": tunnelURL, "all": all}, nil)
}

// StopDevelopment undoes StartDevelopment.
func (c *Client) StopDevelopment(ctx context.Context) error {
	return c.call(ctx, http.MethodDelete, "/dev", nil, nil)
}

// StatusFailed is the status of a logged event whose request the integration did not answer with a
// success.
const StatusFailed = "failed"

// LoggedEvent is an entry of GitBook's log of an integration's events.
type LoggedEvent struct {
	// ID is the entry's.
	ID string `json:"id"`
	// InstallationID is the installation that the event was sent for; empty for none.
	InstallationID string `json:"installationId"`
	// CreatedAt is when GitBook sent it.
	CreatedAt time.Time `json:"createdAt"`
	// Payload is the event.
	Payload json.RawMessage `json:"payload"`
	// Status is "success" or StatusFailed.
	Status string `json:"status"`
}

// Events are the log's entries since a time, the newest first.
func (c *Client) Events(ctx context.Context, since time.Time) (all []LoggedEvent, err error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for {
		var page struct {
			Items []LoggedEvent `json:"items"`
			Next  *struct {
				Page string `json:"page"`
			} `json:"next"`
		}
		if err := c.call(ctx, http.MethodGet, "/events?"+query.Encode(), nil, &page); err != nil {
			return nil, err
		}
		reached := false
		for _, event := range page.Items {
			if event.CreatedAt.Before(since) {
				reached = true
				continue
			}
			all = append(all, event)
		}
		if reached || page.Next == nil || page.Next.Page == "" || page.Next.Page == query.Get("page") || len(page.Items) == 0 {
			return all, nil
		}
		query.Set("page", page.Next.Page)
	}
}

// Installation is an installation as the API has it, with its configuration.
func (c *Client) Installation(ctx context.Context, id string) (json.RawMessage, error) {
	return c.get(ctx, "/installations/"+url.PathEscape(id))
}

// SpaceInstallation is the installation on a space.
func (c *Client) SpaceInstallation(ctx context.Context, id, space string) (json.RawMessage, error) {
	return c.get(ctx, "/installations/"+url.PathEscape(id)+"/spaces/"+url.PathEscape(space))
}

// SiteInstallation is the installation on a site.
func (c *Client) SiteInstallation(ctx context.Context, id, site string) (json.RawMessage, error) {
	return c.get(ctx, "/installations/"+url.PathEscape(id)+"/sites/"+url.PathEscape(site))
}

func (c *Client) get(ctx context.Context, path string) (raw json.RawMessage, err error) {
	err = c.call(ctx, http.MethodGet, path, nil, &raw)
	return raw, err
}

// call calls the API below the integration's path. No error shows the token, nor what the API said.
func (c *Client) call(ctx context.Context, method, path string, body, into any) error {
	var encoded io.Reader = http.NoBody
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		encoded = bytes.NewReader(data)
	}
	path = "/v1/integrations/" + url.PathEscape(c.integration) + path
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, encoded)
	if err != nil {
		return errors.New("the address of GitBook's API is no URL")
	}
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.client.Do(request)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return fmt.Errorf("GitBook's API cannot be reached: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		called, _, _ := strings.Cut(path, "?")
		return &StatusError{Call: method + " " + called, Status: response.StatusCode}
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswerBytes)).Decode(into); err != nil {
		return errors.New("the answer of GitBook's API is not the JSON that it describes")
	}
	return nil
}
