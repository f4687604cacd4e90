package deliveries

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/mocks"
	"go.temporal.io/sdk/temporal"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/workflows"
)

const twoDestinations = `
destinations:
  - name: search
    url: https://example.com/hook?key=geheim
    secrets: [one]
    timeout: 3s
    retries: [5s, 1d]
    retry_after_max: 2m
    redact: [visitor.ip]
    notify: alerts
  - name: alerts
    url: https://example.com/alerts?key=geheim
    secrets: [two]
    rate_limit: 5
    notify: search
`

func parseEvent(t *testing.T, event string) gitbook.Event {
	t.Helper()
	parsed, err := gitbook.ParseEvent([]byte(event))
	require.NoError(t, err)
	return parsed
}

// start stores a delivery, and returns the arguments of the workflow.
func start(t *testing.T, n NewDelivery) (client.StartWorkflowOptions, workflows.DeliveryInput, string) {
	t.Helper()
	temporal := mocks.NewClient(t)
	var (
		options client.StartWorkflowOptions
		input   workflows.DeliveryInput
		event   converter.RawValue
	)
	temporal.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Run(func(args mock.Arguments) {
		options, input, event = args.Get(1).(client.StartWorkflowOptions), args.Get(3).(workflows.DeliveryInput), args.Get(4).(converter.RawValue)
	}).Return(mocks.NewWorkflowRun(t), nil).Once()
	started, err := newStore(t, temporal, parseConfig(t, twoDestinations), at0).Start(t.Context(), n)
	require.NoError(t, err)
	require.True(t, started)
	require.False(t, input.Express, "the workflow decides")
	return options, input, string(event.Payload().GetData())
}

func TestStart(t *testing.T) {
	t.Parallel()
	event := parseEvent(t, `{ "eventId":"evt 1", "type":"site_view", "siteId":"site_1", "visitor":{"ip":"203.0.113.7", "userAgent":"<u>"} }`)
	options, input, stored := start(t, NewDelivery{Event: event, Installation: "inst_7", Destination: "search", Reason: ReasonEvent, AcceptedAt: noon.In(time.FixedZone("", 3600))})

	require.Equal(t, `{ "eventId":"evt 1", "type":"site_view", "siteId":"site_1", "visitor":{"userAgent":"<u>"} }`, stored, "besides what is redacted, every byte")
	require.Equal(t, "evt 1@search", options.ID)
	require.Equal(t, "site_view → search", options.StaticSummary)
	require.True(t, options.EnableEagerStart)
	require.Equal(t, map[string]any{"reason": "event", "url": "https://example.com/hook", "acceptedAt": "2026-03-04T12:00:00Z"}, options.Memo)
	require.Equal(t, temporal.NewSearchAttributes(
		workflows.Destination.ValueSet("search"), workflows.EventType.ValueSet("site_view"),
		workflows.Installation.ValueSet("inst_7"), workflows.Site.ValueSet("site_1"),
	), options.TypedSearchAttributes)

	require.Equal(t, "evt 1", input.EventID)
	require.Equal(t, "search", input.Destination)
	require.Equal(t, "https://example.com/hook", input.URL, "the query string is a secret")
	require.Equal(t, noon, input.AcceptedAt)
	require.Equal(t, 3*time.Second, input.Timeout())
	require.Equal(t, []time.Duration{5 * time.Second, 24 * time.Hour}, input.Retries())
	require.Equal(t, int64(120_000), input.RetryAfterMaxMs)
	require.False(t, input.Limited)
	require.Empty(t, input.Sealed)

	require.Equal(t, "alerts", input.Notify.Destination)
	require.Equal(t, "https://example.com/alerts", input.Notify.URL)
	require.True(t, input.Notify.Limited)
	require.Nil(t, input.Notify.Notify, "a notice gives no notice")
}

func TestStartToAnInstallation(t *testing.T) {
	t.Parallel()
	n := NewDelivery{
		Event: parseEvent(t, `{"eventId":"evt_1","type":"site_view"}`), Installation: "inst_1", Reason: ReasonEvent, AcceptedAt: noon,
		Webhook: &gitbook.Webhook{URL: "https://hooks.example.com/x?key=geheim", Secret: "geheim"},
	}
	options, input, _ := start(t, n)
	require.Equal(t, "evt_1@installation.inst_1", options.ID)
	require.Equal(t, n.ID(), options.ID)
	require.Equal(t, "https://hooks.example.com/x", input.URL)
	require.NotContains(t, string(input.Sealed), "geheim")
	require.NotEmpty(t, input.Sealed)
	require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 4 * time.Second}, input.Retries())
	require.Nil(t, input.Notify)
}

// The workflow id has room for a hash only, so the memo has the id.
func TestStartWithALongID(t *testing.T) {
	t.Parallel()
	id := strings.Repeat("e", 255)
	options, input, _ := start(t, NewDelivery{Event: parseEvent(t, `{"eventId":"`+id+`","type":"site_view"}`), Destination: "search", AcceptedAt: noon})
	require.LessOrEqual(t, len(options.ID), 255)
	require.Equal(t, id, options.Memo["eventId"])
	require.Equal(t, id, input.EventID)
}

func TestStartTellsDuplicatesFromErrors(t *testing.T) {
	t.Parallel()
	n := NewDelivery{Event: parseEvent(t, `{"eventId":"evt_1","type":"site_view"}`), Destination: "search"}
	broken := errors.New("broken")
	tests := []struct {
		name string
		give error
		want error
	}{
		{"duplicate", serviceerror.NewWorkflowExecutionAlreadyStarted("", "", ""), nil},
		{"unavailable", serviceerror.NewUnavailable("10.1.2.3 refused"), ErrUnavailable},
		{"slow", serviceerror.NewDeadlineExceeded("late"), ErrUnavailable},
		{"overloaded", &serviceerror.ResourceExhausted{}, ErrUnavailable},
		{"another", broken, broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			temporal := mocks.NewClient(t)
			temporal.On("ExecuteWorkflow", mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(nil, tt.give)
			started, err := newStore(t, temporal, parseConfig(t, twoDestinations), at0).Start(t.Context(), n)
			require.ErrorIs(t, err, tt.want)
			require.False(t, started)
		})
	}
	other := n
	other.Destination = "other"
	_, err := newStore(t, mocks.NewClient(t), parseConfig(t, twoDestinations), at0).Start(t.Context(), other)
	require.ErrorIs(t, err, ErrDestinationUnknown)
}

// Members that are redacted for one destination are stored in full for another.
func TestWhatIsRedactedIsNotStored(t *testing.T) {
	t.Parallel()
	const event = `{"eventId":"evt_1", "type":"site_view", "visitor":{"ip":"203.0.113.7", "userAgent":"<u>"}}`
	n := NewDelivery{Event: parseEvent(t, event), Destination: "search", AcceptedAt: noon}
	_, _, stored := start(t, n)
	require.Equal(t, `{"eventId":"evt_1", "type":"site_view", "visitor":{"userAgent":"<u>"}}`, stored)
	n.Destination = "alerts"
	_, _, stored = start(t, n)
	require.Equal(t, event, stored)
}
