package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A backup that cannot be made leaves nothing, and what is there alone.
func TestBackupThatIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	target := filepath.Join(t.TempDir(), "copy")
	require.ErrorContains(t, Backup(t.Context(), data, target), "temporal.db is missing; --data must be the folder")
	for _, file := range []string{"temporal.db", "visibility.db"} {
		require.NoError(t, os.WriteFile(filepath.Join(data, file), []byte("not a database, but as long as one has to be to look like it"), 0o600))
	}
	require.Error(t, Backup(t.Context(), data, target))
	for _, left := range []string{target, target + partial} {
		require.NoDirExists(t, left)
	}
	require.NoError(t, os.Mkdir(target, 0o700))
	require.ErrorContains(t, Backup(t.Context(), data, target), "is there already")
}
