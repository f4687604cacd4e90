package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
)

// delivery, round and attempt are what the API shows, as it is documented.
type delivery struct {
	Destination  string     `json:"destination"`
	EventID      string     `json:"eventId"`
	Type         string     `json:"type"`
	Status       string     `json:"status"`
	Installation string     `json:"installation"`
	Space        string     `json:"space"`
	Site         string     `json:"site"`
	URL          string     `json:"url"`
	AcceptedAt   time.Time  `json:"acceptedAt"`
	ClosedAt     *time.Time `json:"closedAt"`
	Failure      string     `json:"failure"`
	AttemptCount int        `json:"attemptCount"`
	Runs         []round    `json:"runs"`
}

type round struct {
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
	Worker     string    `json:"worker"`
}

// tried is what most tests expect of an attempt.
type tried struct {
	number, statusCode int
	outcome            string
}

func brief(attempts []attempt) []tried {
	all := make([]tried, len(attempts))
	for i, a := range attempts {
		all[i] = tried{a.Number, a.StatusCode, a.Outcome}
	}
	return all
}

// starter is the HTTP side of Courier, by its address.
type starter string

// reply is an answer of the starter.
type reply struct {
	status int
	header http.Header
	body   string
}

func (s starter) do(t *testing.T, method, path string, header http.Header, body []byte) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, string(s)+path, bytes.NewReader(body))
	require.NoError(t, err)
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	client := &http.Client{Transport: apitest.Transport(t, http.DefaultTransport)}
	resp, err := client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// post sends an event as GitBook's integration runtime does.
func (s starter) post(t *testing.T, event, environment string) reply {
	t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	require.NoError(t, form.WriteField("event", event))
	require.NoError(t, form.WriteField("environment", environment))
	require.NoError(t, form.Close())
	return s.do(t, http.MethodPost, "/v1", http.Header{"Content-Type": {form.FormDataContentType()}}, body.Bytes())
}

// relay sends an event as GitBook's hosted Webhook integration does.
func (s starter) relay(t *testing.T, event string) reply {
	t.Helper()
	return s.do(t, http.MethodPost, "/webhooks/docs", http.Header{
		"Content-Type":          {"application/json"},
		gitbook.SignatureHeader: {gitbook.Sign(time.Now(), []byte(event), sourceSecret)},
	}, []byte(event))
}

// accept sends an event, which must be stored for the first time.
func (s starter) accept(t *testing.T, event, environment string) {
	t.Helper()
	accepted(t, s.post(t, event, environment))
}

func accepted(t *testing.T, answer reply) {
	t.Helper()
	require.Equal(t, http.StatusOK, answer.status, answer.body)
	require.Equal(t, "OK", answer.body)
	require.NotEmpty(t, answer.header.Get("Courier-Delivery"))
	require.Empty(t, answer.header.Get("Courier-Duplicate"))
}

func deliveryPath(destination, eventID string) string {
	return "/api/deliveries/" + destination + "/" + url.PathEscape(eventID)
}

// act does something to a delivery: redeliver, retry or cancel.
func (s starter) act(t *testing.T, destination, eventID, action string) {
	t.Helper()
	answer := s.do(t, http.MethodPost, deliveryPath(destination, eventID)+"/"+action, nil, nil)
	require.Equal(t, http.StatusAccepted, answer.status, answer.body)
}

// await waits until the API shows a delivery that is as wanted.
func (s starter) await(t *testing.T, destination, eventID, what string, wanted func(delivery) bool) delivery {
	t.Helper()
	return waitFor(t, eventID+" to "+destination+" "+what, func() (delivery, bool) {
		answer := s.do(t, http.MethodGet, deliveryPath(destination, eventID), nil, nil)
		require.Equal(t, http.StatusOK, answer.status, answer.body)
		var d delivery
		require.NoError(t, json.Unmarshal([]byte(answer.body), &d))
		return d, wanted(d)
	})
}

// awaitStatus waits until a delivery has a status.
func (s starter) awaitStatus(t *testing.T, destination, eventID, status string) delivery {
	t.Helper()
	return s.await(t, destination, eventID, status, func(d delivery) bool { return d.Status == status })
}

// awaitWait waits until a delivery waits for its next attempt.
func (s starter) awaitWait(t *testing.T, destination, eventID string) delivery {
	t.Helper()
	return s.await(t, destination, eventID, "waiting", func(d delivery) bool {
		last := d.Runs[len(d.Runs)-1]
		return d.Status == "retrying" && last.NextAttemptAt != nil && len(last.Attempts) > 0
	})
}

// courier is the standalone program.
type courier struct {
	*program
	starter
	ui     string
	client client.Client
}

// start starts the standalone program on a data folder, and returns when it is ready.
func start(t *testing.T, data, configuration string) *courier {
	t.Helper()
	return started(t, launch(t, "standalone", nil, arguments(t, data, configuration)...))
}

// arguments are the standalone program's for a data folder and a configuration.
func arguments(t *testing.T, data, configuration string) []string {
	t.Helper()
	return []string{"--data", data, "--config", writeConfiguration(t, configuration), "--ui-listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0"}
}

func writeConfiguration(t *testing.T, configuration string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "courier.yaml")
	require.NoError(t, os.WriteFile(file, []byte(configuration), 0o600))
	return file
}

// started reads where a program listens: from its banner, and, because the configuration asks for
// any free port, from the line that names the one it got.
func started(t *testing.T, p *program) *courier {
	t.Helper()
	c := &courier{
		program: p,
		ui:      p.find(t, &p.stdout, `Temporal UI +(http://\S+)/namespaces/default/workflows\n`),
		starter: listening(t, p),
		client:  dial(t, p.find(t, &p.stdout, `Temporal gRPC +(\S+)\n`)),
	}
	return c
}

func listening(t *testing.T, p *program) starter {
	t.Helper()
	scheme := p.find(t, &p.stderr, `msg=listening scheme=(\S+) `)
	return starter(scheme + "://" + p.find(t, &p.stderr, `msg=listening .*address=(\S+)\n`))
}

// dial connects to Temporal as any SDK client does.
func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.NewLazyClient(client.Options{
		HostPort: address,
		Logger:   sdklog.NewStructuredLogger(slog.New(slog.DiscardHandler)),
	})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// outcome is the attempt log in the result or the failure of a delivery's workflow, which it waits
// for, and the error of a failed one.
func (c *courier) outcome(t *testing.T, id string) ([]attempt, error) {
	t.Helper()
	var result struct {
		Attempts []attempt `json:"attempts"`
	}
	err := c.client.GetWorkflow(t.Context(), id, "").Get(t.Context(), &result)
	var (
		failure   *temporal.ApplicationError
		cancelled *temporal.CanceledError
	)
	switch {
	case errors.As(err, &failure):
		require.NoError(t, failure.Details(&result))
	case errors.As(err, &cancelled):
		require.NoError(t, cancelled.Details(&result))
	default:
		require.NoError(t, err)
	}
	return result.Attempts, err
}

// lines are the lines of a text that hold something.
func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
