package engine

import (
	"errors"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A sync that fails leaves nothing to trust: the engine fails, and nothing is stored any more.
func TestAFailedSyncEndsTheEngine(t *testing.T) {
	t.Parallel()
	var broken atomic.Bool
	e, err := Start(t.Context(), Options{DataDir: t.TempDir(), TemporalListen: "127.0.0.1:0", sync: func(file *os.File) error {
		if broken.Load() {
			return errors.New("input/output error")
		}
		return file.Sync()
	}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Stop() })
	require.NoError(t, e.Storable(t.Context()))
	broken.Store(true)
	<-time.After(recentWrite)
	require.EqualError(t, e.Storable(t.Context()), "nothing can be stored: the files of the data folder cannot be written; check the disk")
	select {
	case err := <-e.Failed():
		require.ErrorContains(t, err, "so this process ends; check the disk")
	case <-time.After(10 * time.Second):
		require.Fail(t, "the engine goes on")
	}
	broken.Store(false)
	require.Error(t, e.Storable(t.Context()), "it is never trusted again")
}
