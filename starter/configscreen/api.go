package configscreen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
)

const (
	// saveTimeout bounds all calls of one save. GitBook's own screen waits for them.
	saveTimeout = 10 * time.Second
	// maxReply bounds what is read of an answer, in bytes.
	maxReply = 1 << 20
)

// api is GitBook's API at one address.
type api struct {
	base   string
	client *http.Client
}

func newAPI(base, proxy string) (api, error) {
	transport := &http.Transport{ForceAttemptHTTP2: true, MaxIdleConns: 4, IdleConnTimeout: time.Minute}
	if proxy != "" {
		address, err := url.Parse(proxy)
		if err != nil {
			return api{}, errors.New("the egress proxy is not a URL") // without the URL, which is a secret
		}
		transport.Proxy = http.ProxyURL(address)
	}
	return api{
		base: strings.TrimSuffix(base, "/"),
		client: &http.Client{
			Transport: transport,
			// A redirect is a failure: the call would become a GET, and the token go elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// check refuses an environment of another API. Its address comes with the request, and the token
// would go to it.
func (a api) check(environment gitbook.Environment) error {
	if _, given := environment.Field("apiEndpoint"); given && !a.is(idAt(environment, "apiEndpoint")) {
		return respond.NewError(http.StatusForbidden, "environment.apiEndpoint is not the configuration's gitbook_api")
	}
	return nil
}

// is whether an address is the API's.
func (a api) is(endpoint string) bool {
	theirs, err := url.Parse(endpoint)
	ours, err2 := url.Parse(a.base)
	return err == nil && err2 == nil && theirs.User == nil && theirs.RawQuery == "" && theirs.Fragment == "" &&
		strings.EqualFold(theirs.Scheme, ours.Scheme) && strings.EqualFold(theirs.Hostname(), ours.Hostname()) &&
		port(theirs) == port(ours) && strings.TrimSuffix(theirs.EscapedPath(), "/") == ours.EscapedPath()
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "http"):
		return "80"
	default:
		return "443"
	}
}

// call replaces the configuration of an installation.
type call struct {
	// path are the segments of its path, below /v1.
	path          []string
	configuration object
}

// requests are the requests of calls, with the installation's token, else the integration's.
func (a api) requests(ctx context.Context, environment gitbook.Environment, calls []call) ([]*http.Request, error) {
	token := idAt(environment, "apiTokens", "installation")
	if token == "" {
		token = idAt(environment, "apiTokens", "integration")
	}
	if token == "" {
		return nil, errors.New("the environment has no API token")
	}
	version, _ := environment.Field("integration", "version")
	header := http.Header{
		"Accept":        {"*/*"},
		"Authorization": {"Bearer " + token},
		"Content-Type":  {"application/json"},
		"User-Agent":    {"integration-" + idAt(environment, "integration", "name") + "/" + gitbook.JavaScriptText(version)},
	}
	requests := make([]*http.Request, len(calls))
	for i, c := range calls {
		address := a.base + "/v1"
		for _, segment := range c.path {
			switch segment {
			case "":
				return nil, errIncomplete
			case ".", "..":
				return nil, errors.New("an id is no segment of a path")
			}
			address += "/" + url.PathEscape(segment)
		}
		body := object{}.with("configuration", c.configuration.raw()).raw()
		r, err := http.NewRequestWithContext(ctx, http.MethodPatch, address, bytes.NewReader(body))
		if err != nil {
			return nil, errors.New("the call of GitBook's API cannot be made")
		}
		r.Header = header.Clone()
		requests[i] = r
	}
	return requests, nil
}

// patch makes the requests, each after the one before has succeeded. Its errors name no token and
// nothing that GitBook has answered.
func (a api) patch(requests []*http.Request) error {
	for _, r := range requests {
		if err := a.do(r); err != nil {
			return fmt.Errorf("GitBook's API, PATCH %s: %w", r.URL.EscapedPath(), err)
		}
	}
	return nil
}

func (a api) do(r *http.Request) error {
	reply, err := a.client.Do(r)
	if err != nil {
		// The client's text may have the URL and a header in it.
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no answer within %s", saveTimeout)
		}
		return errors.New("the connection failed")
	}
	defer func() { _ = reply.Body.Close() }()
	if reply.StatusCode/100 != 2 {
		return fmt.Errorf("answered %d", reply.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(reply.Body, maxReply))
	if err != nil || !json.Valid(body) {
		return errors.New("the answer is not JSON")
	}
	return nil
}
