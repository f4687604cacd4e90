package e2e_test

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// The example receivers, in front of the real Courier, handle each event once: also when it comes
// again, after a crash, and under a secret that is being replaced. What is not signed they refuse.
func TestExampleReceivers(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, interpreter, script, needs string
	}{
		{"JavaScript", "node", "receivers/javascript/example.mjs", "receivers/javascript/node_modules/node-sqlite3-wasm"},
		{"Python", "python3", "receivers/python/example.py", "receivers/python/courier.py"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			interpreter, err := exec.LookPath(tt.interpreter)
			if _, missing := os.Stat(filepath.Join("../..", tt.needs)); err != nil || missing != nil {
				require.NotEqual(t, "true", os.Getenv("CI"), "%s or %s is not installed", tt.interpreter, tt.needs)
				t.Skipf("%s or %s is not installed; run make test", tt.interpreter, tt.needs)
			}
			script, err := filepath.Abs(filepath.Join("../..", tt.script))
			require.NoError(t, err)
			database := filepath.Join(t.TempDir(), "receiver.db")
			run := func(port string) (*program, string) {
				p := launch(t, interpreter, []string{"PORT=" + port, "DATABASE=" + database, "WEBHOOK_SECRET=the-next-one", "WEBHOOK_SECRET_OLD=" + hooktest.Secret}, script)
				return p, p.find(t, &p.stdout, `listening on (\S+)`)
			}
			receiver, address := run("0")
			at, err := url.Parse(address)
			require.NoError(t, err)
			courier := start(t, t.TempDir(), configuration(destination("example", address, quick())))

			courier.accept(t, event("page_feedback", "evt_1"), noEnvironment)
			courier.awaitStatus(t, "example", "evt_1", "delivered")
			receiver.find(t, &receiver.stdout, `(handled page_feedback evt_1)`)
			receiver.kill(t)
			receiver, _ = run(at.Port())
			courier.act(t, "example", "evt_1", "redeliver")
			again := courier.await(t, "example", "evt_1", "sent again", func(d delivery) bool { return len(d.Runs) == 2 && d.Status == "delivered" })
			require.Equal(t, "known already", again.Runs[1].Attempts[len(again.Runs[1].Attempts)-1].Reply)
			courier.accept(t, event("page_feedback", "evt_2"), noEnvironment)
			receiver.find(t, &receiver.stdout, `(handled page_feedback evt_2)`)
			require.NotContains(t, receiver.stdout.String(), "evt_1", "it was handled twice")

			for name, signature := range map[string]string{"missing": "", "of another": "t=1735689600,v1=" + strings.Repeat("0", 64)} {
				answer := post(t, address, "", http.Header{"X-Gitbook-Signature": {signature}}, strings.NewReader(event("page_feedback", "evt_3")))
				require.Equal(t, http.StatusUnauthorized, answer.status, name)
			}
		})
	}
}
