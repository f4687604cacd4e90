package activities_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// The webhook that an installation's administrator has entered gains no more than the configuration
// says of the installation.
func TestSendWebhookGuardsAnInstallationsWebhook(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	_, port, err := net.SplitHostPort(receiver.URL[len("http://"):])
	require.NoError(t, err)
	tests := []struct {
		name        string
		giveURL     string
		giveAllowed bool
		want        string
	}{
		{"a private address", receiver.URL, false, "AddressForbidden"},
		{"a private address, allowed", receiver.URL, true, ""},
		{"a name of this machine", "http://localhost:" + port, false, "AddressForbidden"},
		{"a name of this machine, allowed", "http://localhost:" + port, true, ""},
		{"an odd spelling", "http://0x7f.1:" + port, false, "AddressForbidden"},
		{"credentials", "http://user:geheim@127.0.0.1:" + port, true, "AddressForbidden"},
		{"another scheme", "ftp://127.0.0.1:" + port, true, "AddressForbidden"},
		{"a line break", receiver.URL + "/\r\nX-Evil: 1", true, "AddressForbidden"},
		{"a control character", receiver.URL + "/\u0085", true, "AddressForbidden"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sealed, err := activities.SealWebhook(keyring(t), "default-test-workflow-id", gitbook.Webhook{URL: tt.giveURL, Secret: hooktest.Secret})
			require.NoError(t, err)
			b := newBench(t, activities.Target{})
			b.options.Settings.Installations = func(string) (allowPrivate, accepted bool) { return tt.giveAllowed, true }
			in := input()
			in.Destination, in.Sealed = "installation.inst_1", sealed

			_, err = b.send(in)

			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			got := failureOf(t, err)
			require.Equal(t, tt.want, got.kind)
			require.True(t, got.final)
			require.NotContains(t, fmt.Sprint(got), "geheim")
		})
	}
	t.Cleanup(func() { require.Len(t, receiver.Requests(), 2, "only what is allowed arrived") })
}

func TestSendWebhookRefusesAnEventIDThatIsNoHeader(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	in := input()
	in.EventID = "evt_1\r\nX-Evil: 1"

	_, err := newBench(t, targetOf(receiver)).send(in)

	got := failureOf(t, err)
	require.Equal(t, "Rejected", got.kind)
	require.True(t, got.final)
	require.Equal(t, `the header "webhook-id" holds a line break or another control character`, got.message)
	require.Empty(t, receiver.Requests())
}

// An event that was stored before the destination had the key is redacted too, and the signature is
// that of what is sent.
func TestSendWebhookRedacts(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	target := targetOf(receiver)
	target.Redact = []string{"visitor.ip", "visitor.cookies"}
	b := newBench(t, target)
	b.options.Now = nil

	b.options.Runs = runs{event: `{"eventId":"evt_1", "visitor":{"ip":"203.0.113.7", "userAgent":"<u>", "cookies":{"a":"b"}},"type":"site_view"}`}

	_, err := b.send(input())

	require.NoError(t, err)
	request := receiver.Requests()[0]
	require.Equal(t, `{"eventId":"evt_1", "visitor":{"userAgent":"<u>"},"type":"site_view"}`, string(request.Body))
	require.NoError(t, request.Verified)
}

// Neither Temporal nor the log line sees the proxy's password.
func TestSendWebhookThroughAProxyThatRefuses(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusProxyAuthRequired) }))
	t.Cleanup(proxy.Close)
	address := proxy.Listener.Addr().String()
	for _, url := range []string{"http://hooks.example/", "https://hooks.example/"} {
		b := newBench(t, activities.Target{URL: url, Secrets: []string{"s"}})
		b.options.EgressProxy = "http://courier:geheim@" + address

		_, err := b.send(input())

		got := failureOf(t, err)
		require.Equal(t, "Unavailable", got.kind)
		require.False(t, got.final)
		require.Equal(t, "through the egress proxy http://"+address+": it answered 407 Proxy Authentication Required", got.message)
		require.NotContains(t, fmt.Sprint(got, b.journal.Logs(), b.signals.all), "geheim")
	}
}
