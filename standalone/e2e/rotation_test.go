package e2e_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

// verifiers are how receivers verify with the one secret that they know.
var verifiers = map[string]func(header http.Header, body []byte, secret string) bool{
	// As GitBook's documented sample does: the last v1 counts.
	"sample": func(header http.Header, body []byte, secret string) bool {
		var timestamp, signature string
		for element := range strings.SplitSeq(header.Get(gitbook.SignatureHeader), ",") {
			switch name, value, _ := strings.Cut(element, "="); name {
			case "t":
				timestamp = value
			case "v1":
				signature = value
			}
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(timestamp + "." + string(body)))
		return signature == hex.EncodeToString(mac.Sum(nil))
	},
	"package": func(header http.Header, body []byte, secret string) bool {
		return gitbook.Verifier{Secrets: []string{secret}}.Verify(header.Get(gitbook.SignatureHeader), body) == nil
	},
	"standard": func(header http.Header, body []byte, secret string) bool {
		webhook, err := standardwebhooks.NewWebhookRaw([]byte(secret))
		return err == nil && webhook.Verify(body, header) == nil
	},
}

// rotating are receivers, one for each verifier, that refuse what does not verify.
type rotating struct {
	url string

	mu       sync.Mutex
	secrets  map[string]string
	verified map[string]map[string]bool // event ids by receiver
	refused  []string
}

func newRotating(t *testing.T, secret string) *rotating {
	t.Helper()
	r := &rotating{secrets: make(map[string]string), verified: make(map[string]map[string]bool)}
	for name := range verifiers {
		r.secrets[name], r.verified[name] = secret, make(map[string]bool)
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	r.url = server.URL
	return r
}

func (r *rotating) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	body, _ := io.ReadAll(request.Body)
	name, id := request.URL.Path[1:], request.Header.Get("Webhook-Id")
	r.mu.Lock()
	defer r.mu.Unlock()
	if !verifiers[name](request.Header, body, r.secrets[name]) {
		r.refused = append(r.refused, id+" at "+name)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	r.verified[name][id] = true
}

// give gives a receiver another secret.
func (r *rotating) give(name, secret string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.secrets[name] = secret
}

// count is how many events have verified at a receiver.
func (r *rotating) count(name string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.verified[name])
}

func (r *rotating) requireNoneRefused(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Empty(t, r.refused)
}

// awaitMore waits until a few more events have verified at receivers.
func (r *rotating) awaitMore(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		begun := r.count(name)
		waitFor(t, "more events at "+name, func() (int, bool) {
			r.requireNoneRefused(t)
			return r.count(name), r.count(name) >= begun+3
		})
	}
}

// stream sends events until it is stopped, each until it is accepted, as a careful sender does.
// stop returns their ids.
func stream(t *testing.T, door starter) (stop func() []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan []string)
	go func() {
		var ids []string
		ticker := time.NewTicker(3 * lookInterval)
		defer ticker.Stop()
		for ctx.Err() == nil {
			id := "evt_" + strconv.Itoa(len(ids))
			for !sendOnce(t.Context(), door, event("space_content_updated", id)) && t.Context().Err() == nil {
				<-ticker.C
			}
			ids = append(ids, id)
			<-ticker.C
		}
		sent <- ids
	}()
	return func() []string {
		cancel()
		return <-sent
	}
}

// sendOnce relays an event, and is whether it was accepted.
func sendOnce(ctx context.Context, door starter, event string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, string(door)+"/webhooks/docs", strings.NewReader(event))
	if err != nil {
		return false
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(gitbook.SignatureHeader, gitbook.Sign(time.Now(), []byte(event), sourceSecret))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	_ = answer.Body.Close()
	return answer.StatusCode == http.StatusOK
}

// Events flow all the time, across the restarts too, while the secret of three destinations is
// replaced. A receiver that heeds every signature takes the new secret while both sign. One that
// keeps the last signature knows the old one until it is removed; its destination is paused for
// that moment.
func TestSecretOfADestinationIsReplacedWithoutALoss(t *testing.T) {
	t.Parallel()
	const older, newer = "b2xkIHNlY3JldCwgZm9yIHRlc3RzIG9ubHkgLi4uLi4", "bmV3IHNlY3JldCwgZm9yIHRlc3RzIG9ubHkgLi4uLi4"
	receivers := newRotating(t, older)
	address, data := unusedAddress(t), t.TempDir()
	with := func(secrets string) string {
		var all []string
		for name := range verifiers {
			all = append(all, destination(name, receivers.url+"/"+name, "secrets: ["+secrets+"]"))
		}
		return strings.Replace(configuration(all...), "127.0.0.1:0", address, 1)
	}
	courier := start(t, data, with(older))
	stop := stream(t, courier.starter)
	receivers.awaitMore(t, "sample", "package", "standard")
	courier.stop(t)

	courier = start(t, data, with(newer+", "+older))
	receivers.awaitMore(t, "sample", "package", "standard")
	receivers.give("package", newer)
	receivers.give("standard", newer)
	receivers.awaitMore(t, "sample", "package", "standard")
	courier.command(t, http.MethodPost, "/api/destinations/sample/pause", "")
	waitFor(t, "the last request of the paused destination", func() (int, bool) {
		before := receivers.count("sample")
		receivers.awaitMore(t, "package")
		return before, before == receivers.count("sample")
	})
	courier.stop(t)
	receivers.give("sample", newer)

	courier = start(t, data, with(newer))
	courier.command(t, http.MethodPost, "/api/destinations/sample/resume", "")
	receivers.awaitMore(t, "sample", "package", "standard")
	ids := stop()
	for name := range verifiers {
		waitFor(t, "every event at "+name, func() (int, bool) { return len(ids) - receivers.count(name), receivers.count(name) == len(ids) })
		require.Empty(t, courier.list(t, "destination="+name+"&status=undelivered").Deliveries)
	}
	receivers.requireNoneRefused(t)
}

// byEvent answers the requests of each event with its own statuses, then 200.
type byEvent struct {
	mu       sync.Mutex
	statuses map[string][]int
}

func (b *byEvent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := r.Header.Get("Webhook-Id")
	if left := b.statuses[id]; len(left) > 0 {
		b.statuses[id] = left[1:]
		w.WriteHeader(left[0])
	}
}

// Deliveries to an installation wait for their next attempts while the key that sealed its webhook
// is replaced, and then taken away too early.
func TestSealingKeyIsReplacedWhileDeliveriesWait(t *testing.T) {
	t.Parallel()
	key := func(letter string) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
	}
	with := func(keys ...string) string {
		return "sealing_keys: [" + strings.Join(keys, ", ") + "]\n" + configuration()
	}
	receiver := httptest.NewServer(&byEvent{statuses: map[string][]int{"early": {500}, "late": {500, 500}, "new": {500}}})
	t.Cleanup(receiver.Close)
	const installation = "installation.inst_def456"
	hook := environment(receiver.URL, installationSecret, "token")
	data := t.TempDir()

	courier := start(t, data, with(key("a")))
	for _, id := range []string{"early", "late"} {
		courier.accept(t, event("space_content_updated", id), hook)
		courier.awaitWait(t, installation, id)
	}
	courier.stop(t)

	courier = start(t, data, with(key("b"), key("a")))
	courier.accept(t, event("space_content_updated", "new"), hook)
	courier.await(t, installation, "late", "waiting for the third attempt", func(d delivery) bool {
		return d.AttemptCount == 2 && d.Runs[0].NextAttemptAt != nil
	})
	courier.stop(t)

	courier = start(t, data, with(key("b")))
	courier.awaitStatus(t, installation, "early", "delivered")
	courier.awaitStatus(t, installation, "new", "delivered")
	// Nothing is given up for want of a key.
	waits := courier.await(t, installation, "late", "waiting for the key", func(d delivery) bool {
		return strings.HasPrefix(d.Failure, "DestinationUnknown: ")
	})
	require.Equal(t, "pending", waits.Status)
	require.Equal(t, []tried{{1, 500, "Unavailable"}, {2, 500, "Unavailable"}}, brief(waits.Runs[0].Attempts))
	courier.stop(t)

	courier = start(t, data, with(key("b"), key("a")))
	courier.awaitStatus(t, installation, "late", "delivered")
}
