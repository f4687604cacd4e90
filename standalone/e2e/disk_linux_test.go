package e2e_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// smallDisk is a folder on a disk of its own with little room.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("a disk of its own takes root: %v", err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill takes all the room of a disk, and gives it back.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	name := filepath.Join(dir, "ballast")
	file, err := os.Create(name)
	require.NoError(t, err)
	for block := make([]byte, 64<<10); err == nil; {
		_, err = file.Write(block)
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
	require.NoError(t, file.Close())
	return func() { require.NoError(t, os.Remove(name)) }
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	data := smallDisk(t)
	courier := start(t, data, configuration(destination("search-index", receiver.URL)))
	courier.accept(t, event("site_view", "before"), noEnvironment)
	courier.awaitStatus(t, "search-index", "before", "delivered")

	free := fill(t, data)
	answer := courier.do(t, http.MethodGet, "/readyz", nil, nil)
	require.Equal(t, http.StatusServiceUnavailable, answer.status)
	require.Equal(t, `{"error":"nothing can be stored: the disk of the data folder is full; free some space"}`, answer.body)
	large := strings.Replace(event("site_view", "during"), "{", `{"x":"`+strings.Repeat("x", 500_000)+`",`, 1)
	waitFor(t, "events to be refused", func() (int, bool) {
		got := courier.post(t, large, noEnvironment)
		return got.status, got.status == http.StatusServiceUnavailable
	})

	free()
	courier.awaitReady(t)
	waitFor(t, "events to be stored", func() (int, bool) {
		got := courier.post(t, event("site_view", "after"), noEnvironment)
		return got.status, got.status == http.StatusOK
	})
	courier.awaitStatus(t, "search-index", "after", "delivered")
	require.Less(t, len(lines(courier.stderr.String())), 300, "the log is bounded")
	courier.stop(t)
}
