package activities_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/activities"
	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

const deliveryID = "default-test-workflow-id" // the test environment's

// began is a Runs whose runs began with a body, which may be empty.
type began struct {
	runs
	body []byte
}

func (b began) Event(context.Context, string, string) ([]byte, error) { return b.body, nil }

func mac(secret, text string) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil))
}

// The destination gets what the outside service has sent, with its own signature over the same
// bytes, beside ours.
func TestFetchIsSentAsItCame(t *testing.T) {
	t.Parallel()
	const secret = "the outside service's"
	for name, body := range map[string]string{
		"empty": "", "json": `{"a": "<&>"}`, "binary": "\x00\xff\r\n", "no event": `{"eventId":"evt_2","visitor":{"ip":"x"}}`, "large": strings.Repeat("\x01", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver := hooktest.New(t)
			target := targetOf(receiver)
			target.Redact = []string{"visitor.ip"} // of events, which this body is not
			target.Headers = map[string]string{"X-Team": "docs", "X-Own": "ours"}
			b := newBench(t, target)
			b.options.Runs = began{body: []byte(body)}
			in := input()
			sealed, err := activities.SealFetch(keyring(t), deliveryID, gitbook.FetchRequest{
				Method: "put", URL: "https://integrations.gitbook.com/v1/integrations/x?token=1",
				Header: http.Header{
					"Content-Type": {"application/vnd.github+json"}, "X-Hub-Signature-256": {"sha256=" + mac(secret, body)},
					"Stripe-Signature": {"t=1,v1=" + mac(secret, "1."+body)}, "Authorization": {"Bearer geheim"}, "Cookie": {"a=geheim"},
					"User-Agent": {"GitHub-Hookshot"}, "X-Own": {"theirs"},
				},
			})
			require.NoError(t, err)
			in.Fetch = sealed
			attempts, err := b.send(in)
			require.NoError(t, err)
			require.Len(t, attempts, 1)

			got := receiver.Requests()[0]
			require.Equal(t, body, string(got.Body))
			verifier := gitbook.Verifier{Secrets: []string{hooktest.Secret}, Now: func() time.Time { return clock }}
			require.NoError(t, verifier.Verify(got.Header.Get(gitbook.SignatureHeader), got.Body))
			for name, want := range map[string]string{
				"Content-Type": "application/vnd.github+json", "X-Hub-Signature-256": "sha256=" + mac(secret, string(got.Body)),
				"Stripe-Signature": "t=1,v1=" + mac(secret, "1."+string(got.Body)), "Authorization": "Bearer geheim", "Cookie": "a=geheim",
				"User-Agent": "GitBook-Webhook", "X-Own": "ours", "X-Team": "docs", "Webhook-Id": "evt_1",
				"X-Gitbook-Request-Method": "put", "X-Gitbook-Request-Url": "https://integrations.gitbook.com/v1/integrations/x?token=1",
			} {
				require.Equal(t, []string{want}, got.Header.Values(name), name)
			}
			require.NotEmpty(t, got.Header.Get("Webhook-Signature"))
		})
	}
}

func TestFetchWithoutAContentType(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	b := newBench(t, targetOf(receiver))
	in := input()
	var err error
	in.Fetch, err = activities.SealFetch(keyring(t), deliveryID, gitbook.FetchRequest{})
	require.NoError(t, err)
	_, err = b.send(in)
	require.NoError(t, err)
	got := receiver.Requests()[0]
	require.Empty(t, got.Header.Values("Content-Type"))
	require.Empty(t, got.Header.Values("X-Gitbook-Request-Method"))
}

// What was sealed for another delivery, or with another key, is not sent.
func TestFetchThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	b := newBench(t, targetOf(receiver))
	in := input()
	var err error
	in.Fetch, err = activities.SealFetch(keyring(t), "another@search", gitbook.FetchRequest{})
	require.NoError(t, err)
	_, err = b.send(in)
	require.Equal(t, "DestinationUnknown", failureOf(t, err).kind)
	require.Empty(t, receiver.Requests())
}

// The service's credentials are not kept when a receiver repeats them.
func TestFetchCredentialsAreConcealed(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t, hooktest.Answer{Status: 500, Body: "got Bearer streng-geheim and session=keks-geheim"})
	b := newBench(t, targetOf(receiver))
	in := input()
	var err error
	in.Fetch, err = activities.SealFetch(keyring(t), deliveryID, gitbook.FetchRequest{
		Header: http.Header{"Authorization": {"Bearer streng-geheim"}, "Cookie": {"session=keks-geheim"}},
	})
	require.NoError(t, err)
	attempts, err := b.send(in)
	require.Error(t, err)
	for _, attempt := range attempts {
		require.NotContains(t, attempt.Reply, "geheim")
	}
	require.NotContains(t, err.Error(), "geheim")
}
