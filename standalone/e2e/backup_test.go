package e2e_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// A backup that is made while Courier works has everything that was acknowledged before it, and
// nothing half: a Courier on the copy delivers what was waiting, and finds all that it lists.
func TestBackup(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	later := hooktest.New(t, hooktest.Answer{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}})
	yaml := configuration(destination("search", receiver.URL), destination("later", later.URL, events("page_feedback")))
	data := t.TempDir()
	courier := start(t, data, yaml)
	courier.accept(t, event("page_feedback", "evt_waiting"), noEnvironment)
	courier.awaitWait(t, "later", "evt_waiting")

	var sent, acknowledged atomic.Int64
	over := make(chan struct{})
	var senders sync.WaitGroup
	for range 8 {
		senders.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				n := sent.Add(1)
				contentType, form := runtimeForm(t, event("site_view", fmt.Sprintf("evt_%d", n)), noEnvironment, nil)
				if post(t, string(courier.starter)+"/v1", "", http.Header{"Content-Type": {contentType}}, form).status == http.StatusOK {
					acknowledged.Add(1)
				}
			}
		})
	}
	waitFor(t, "load", func() (int64, bool) { return acknowledged.Load(), acknowledged.Load() > 50 })
	before := acknowledgedIDs(t, courier, "search")
	target := filepath.Join(t.TempDir(), "copy")
	p := launch(t, "standalone", []string{"COURIER_DATA=" + data}, "backup", target)
	require.Zero(t, p.exitCode(t, stopTime), "%s", &p.stderr)
	during := acknowledged.Load()
	close(over)
	senders.Wait()
	require.Greater(t, during, int64(len(before)), "Courier went on meanwhile")
	courier.stop(t)

	info, err := os.Stat(filepath.Join(target, "temporal.db"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	again := launch(t, "standalone", nil, "backup", target, "--data", data)
	require.Equal(t, 1, again.exitCode(t, stopTime))
	require.Contains(t, again.stderr.String(), "is there already")

	restored := start(t, target, yaml)
	for _, id := range before {
		restored.awaitStatus(t, "search", id, "delivered")
	}
	restored.awaitWait(t, "later", "evt_waiting")
	restored.act(t, "later", "evt_waiting", "retry")
	restored.awaitStatus(t, "later", "evt_waiting", "delivered")
	listed := acknowledgedIDs(t, restored, "search")
	require.GreaterOrEqual(t, len(listed), len(before))
	for _, id := range listed {
		answer := restored.do(t, http.MethodGet, deliveryPath("search", id), nil, nil)
		require.Equal(t, http.StatusOK, answer.status, "%s is listed, and is not there", id)
	}
	restored.stop(t)
}

// acknowledgedIDs are the events that the API lists for a destination.
func acknowledgedIDs(t *testing.T, c *courier, destination string) (ids []string) {
	t.Helper()
	path := "/api/deliveries?limit=200&type=site_view&destination=" + destination
	for cursor := ""; ; {
		answer := c.do(t, http.MethodGet, path+cursor, nil, nil)
		require.Equal(t, http.StatusOK, answer.status, answer.body)
		var page struct {
			Deliveries []struct{ EventID string }
			NextCursor string
		}
		require.NoError(t, json.Unmarshal([]byte(answer.body), &page))
		for _, d := range page.Deliveries {
			ids = append(ids, d.EventID)
		}
		if page.NextCursor == "" {
			return ids
		}
		cursor = "&cursor=" + page.NextCursor
	}
}
