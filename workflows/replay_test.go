package workflows_test

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/gitbook-courier/courier/workflows"
)

// histories are what the server recorded of the workflows of each release: files
// <release>_<case>.json.gz, which the end-to-end tests write.
const histories = "testdata/histories"

// A delivery may run for weeks, and be finished by a later release than the one
// that began it. A change of the workflow that fails here needs a version
// (workflow.GetVersion); the stored history stays as it is.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(histories, "*.json.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			compressed, err := os.Open(file)
			require.NoError(t, err)
			t.Cleanup(func() { _ = compressed.Close() })
			text, err := gzip.NewReader(compressed)
			require.NoError(t, err)
			history, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
			require.NoError(t, err)
			replayer := worker.NewWorkflowReplayer()
			workflows.Register(replayer)
			require.NoError(t, replayer.ReplayWorkflowHistory(nil, history))
		})
	}
}

// Every release has its histories, or the next one could break its deliveries
// unseen: `make histories` writes those of the newest.
func TestEveryReleaseHasHistory(t *testing.T) {
	t.Parallel()
	changelog, err := os.ReadFile("../CHANGELOG.md")
	require.NoError(t, err)
	releases := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\]`).FindAllSubmatch(changelog, -1)
	require.NotEmpty(t, releases)
	for _, release := range releases {
		for _, name := range []string{"delivered", "retried", "undelivered", "cancelled", "redelivered", "held", "hold", "redelivery"} {
			require.FileExists(t, filepath.Join(histories, "v"+string(release[1])+"_"+name+".json.gz"))
		}
	}
}
