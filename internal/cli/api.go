package cli

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
)

const (
	// requestTimeout bounds a request to a Courier.
	requestTimeout = 30 * time.Second
	// maxAnswerBytes bounds what is read of an answer.
	maxAnswerBytes = 16 << 20
)

// answer is what a Courier has answered.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do makes a request to the Courier, with the token if there is one.
func (c *cli) do(ctx context.Context, method, path string, header http.Header, body []byte) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(c.url, "/")+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("--url: %w", err)
	}
	for name, values := range header {
		request.Header[name] = values
	}
	if token := c.getenv(tokenVariable); token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		if inner, ok := errors.AsType[*url.Error](err); ok {
			err = inner.Err
		}
		return answer{}, fmt.Errorf("%s cannot be reached: %w; --url or %s says where Courier is", c.url, err, urlVariable)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	return answer{response.StatusCode, response.Header, data}, err
}

// call asks the API, and reads its answer into a value.
func (c *cli) call(ctx context.Context, method, path string, body []byte, into any) error {
	header := make(http.Header)
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	a, err := c.do(ctx, method, path, header, body)
	if err != nil {
		return err
	}
	if err := a.failure(); err != nil {
		return err
	}
	if len(a.body) == 0 || into == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		return fmt.Errorf("the answer of %s is not what Courier answers: %w", c.url, err)
	}
	return nil
}

// failure is the error that an answer says, or nil.
func (a answer) failure() error {
	if a.status/100 == 2 {
		return nil
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(a.body, &said) != nil || said.Error == "" {
		said.Error = string(a.body[:min(len(a.body), 200)])
	}
	hint := ""
	if a.status == http.StatusUnauthorized {
		hint = "; " + tokenVariable + " must be a token of the configuration"
	}
	return fmt.Errorf("%d %s: %s%s", a.status, http.StatusText(a.status), shown(strings.TrimSpace(said.Error)), hint)
}

// delivery is a delivery as the API shows it, as far as a terminal does.
type delivery struct {
	Destination  string     `json:"destination"`
	EventID      string     `json:"eventId"`
	Type         string     `json:"type"`
	Status       string     `json:"status"`
	URL          string     `json:"url"`
	AcceptedAt   time.Time  `json:"acceptedAt"`
	ClosedAt     *time.Time `json:"closedAt"`
	Failure      string     `json:"failure"`
	AttemptCount int        `json:"attemptCount"`
	Runs         []run      `json:"runs"`
}

type run struct {
	RunID         string     `json:"runId"`
	Reason        string     `json:"reason"`
	Status        string     `json:"status"`
	StartedAt     time.Time  `json:"startedAt"`
	NextAttemptAt *time.Time `json:"nextAttemptAt"`
	Attempts      []attempt  `json:"attempts"`
}

type attempt struct {
	Number     int       `json:"number"`
	StartedAt  time.Time `json:"startedAt"`
	DurationMs int64     `json:"durationMs"`
	StatusCode int       `json:"statusCode"`
	Outcome    string    `json:"outcome"`
	Error      string    `json:"error"`
	Reply      string    `json:"reply"`
	WaitMs     int64     `json:"waitMs"`
}

// page is a page of the list.
type page struct {
	Deliveries []json.RawMessage `json:"deliveries"`
	NextCursor string            `json:"nextCursor"`
}

// deliveryPath is the API's path of a delivery.
func deliveryPath(destination, eventID string) string {
	return "/api/deliveries/" + url.PathEscape(destination) + "/" + url.PathEscape(eventID)
}

// clock is a time as a terminal shows it, in UTC.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
