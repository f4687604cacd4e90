package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// A running program takes another configuration as a whole: where events go, what signs them, and
// who may call. A broken file changes nothing.
func TestConfigurationIsReadAgain(t *testing.T) {
	t.Parallel()
	const before, after = "a-token-before-the-change", "a-token-after-the-change"
	first, second := hooktest.New(t), hooktest.New(t)
	file := filepath.Join(t.TempDir(), "courier.yaml")
	write := func(content string) {
		// As an editor does: another file takes its place.
		require.NoError(t, os.WriteFile(file+".new", []byte(content), 0o600))
		require.NoError(t, os.Rename(file+".new", file))
	}
	accesses := func(token string) string { return "access: {tokens: [" + token + "]}\n" }
	write(accesses(before) + configuration(destination("search", first.URL), destination("gone", first.URL, retries(1e9, 3600e9))))
	p := launch(t, "standalone", nil, "--data", t.TempDir(), "--config", file, "--ui-listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0", "--admin-listen", "off")
	p.find(t, &p.stderr, `msg="(worker started)"`)
	courier := listening(t, p)
	courier.awaitReady(t)
	accepted(t, courier.relay(t, event("site_view", "evt_1")))
	first.Next(t, t.Context())

	write(accesses(after) + strings.Replace(configuration(destination("search", second.URL)), hooktest.Secret, "another-secret", 1))
	p.find(t, &p.stderr, `msg="(configuration reloaded)" destinations=1`)
	accepted(t, courier.relay(t, event("site_view", "evt_2")))
	got := second.Next(t, t.Context())
	verifier := gitbook.Verifier{Secrets: []string{"another-secret"}}
	require.NoError(t, verifier.Verify(got.Header.Get(gitbook.SignatureHeader), got.Body))
	for token, want := range map[string]int{before: http.StatusUnauthorized, after: http.StatusOK} {
		answer := courier.do(t, http.MethodGet, "/api/destinations", http.Header{"Authorization": {"Bearer " + token}}, nil)
		require.Equal(t, want, answer.status)
	}

	write("destinations: [{name: Search}]\n")
	p.signal(t, syscall.SIGHUP)
	p.find(t, &p.stderr, `(configuration not reloaded; the one before stays).*destinations\[0\]\.name`)
	accepted(t, courier.relay(t, event("site_view", "evt_3")))
	second.Next(t, t.Context())
}
