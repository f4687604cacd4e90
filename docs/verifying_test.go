package docs_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// The commands by which verifying.md makes signatures by hand make the ones that Courier sends.
func TestSignaturesByHand(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "openssl is not installed")
		t.Skip("openssl is not installed")
	}
	const secret = "3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"
	body := []byte("{\"eventId\":\"evt_2345678901bcdefg\", \"x\":\"& é \x00\"}\n")
	sentAt := time.Unix(1735689600, 0)
	want := []string{
		strings.TrimPrefix(gitbook.Sign(sentAt, body, secret), "t=1735689600,v1="),
		strings.TrimPrefix(gitbook.SignStandard("evt_2345678901bcdefg", sentAt, body, secret), "v1,"),
	}
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, "body"), body, 0o600))
	blocks := shellBlock.FindAllStringSubmatch(read(t, "verifying.md"), -1)
	require.Len(t, blocks, len(want))
	for i, block := range blocks {
		command := exec.CommandContext(t.Context(), "bash", "-euc", block[1])
		command.Dir = folder
		command.Env = append(os.Environ(), "WEBHOOK_SECRET="+secret)
		out, err := command.Output()
		require.NoError(t, err)
		require.Equal(t, want[i], strings.TrimSpace(string(out)))
	}
}
