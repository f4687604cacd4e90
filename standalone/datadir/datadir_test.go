package datadir

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSealingKeyIsMadeOnceAndPrivate(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	key, err := SealingKey(dir)
	require.NoError(t, err)
	require.Len(t, key, 32)

	again, err := SealingKey(dir)
	require.NoError(t, err)
	require.Equal(t, key, again)

	content, err := os.ReadFile(filepath.Join(dir, "sealing.key"))
	require.NoError(t, err)
	require.Equal(t, base64.StdEncoding.EncodeToString(key)+"\n", string(content))
	requireMode(t, filepath.Join(dir, "sealing.key"), 0o600)
	requireMode(t, dir, 0o700)

	other, err := SealingKey(t.TempDir())
	require.NoError(t, err)
	require.NotEqual(t, key, other)
}

func TestDemoSecretHasGitBooksForm(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret, err := DemoSecret(dir)
	require.NoError(t, err)
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, secret)

	again, err := DemoSecret(dir)
	require.NoError(t, err)
	require.Equal(t, secret, again)
	requireMode(t, filepath.Join(dir, "demo.secret"), 0o600)
}

// Ensure starters that race for the first start agree on one key and leave nothing else behind.
func TestSealingKeyIsOneForAll(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := make([][]byte, 16)
	errs := make([]error, len(keys))
	var wg sync.WaitGroup
	for i := range keys {
		wg.Go(func() { keys[i], errs[i] = SealingKey(dir) })
	}
	wg.Wait()
	for i := range keys {
		require.NoError(t, errs[i])
		require.Equal(t, keys[0], keys[i])
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}

func TestSealingKeyRefusesUnsafeFiles(t *testing.T) {
	t.Parallel()
	valid := base64.StdEncoding.EncodeToString(make([]byte, 32))
	const notBase64 = " does not hold 32 bytes in base64; restore it from a backup, or delete it to have a new one made if nothing was stored with it"
	tests := []struct {
		name        string
		giveContent string
		giveMode    os.FileMode
		wantErr     string // After the path.
	}{
		{name: "no newline", giveContent: valid, giveMode: 0o600},
		{name: "read-only", giveContent: valid + "\n", giveMode: 0o400},
		{name: "group may read", giveContent: valid, giveMode: 0o640, wantErr: " can be read by other users (mode 0640); run chmod 600 "},
		{name: "others may read", giveContent: valid, giveMode: 0o604, wantErr: " can be read by other users (mode 0604); run chmod 600 "},
		{name: "empty", giveMode: 0o600, wantErr: notBase64},
		{name: "too short", giveContent: base64.StdEncoding.EncodeToString(make([]byte, 31)), giveMode: 0o600, wantErr: notBase64},
		{name: "too long", giveContent: base64.StdEncoding.EncodeToString(make([]byte, 33)), giveMode: 0o600, wantErr: notBase64},
		{name: "two keys", giveContent: valid + "\n" + valid + "\n", giveMode: 0o600, wantErr: notBase64},
		{name: "not base64", giveContent: strings.Repeat("?", 44), giveMode: 0o600, wantErr: notBase64},
		{name: "huge", giveContent: strings.Repeat("A", 1<<20), giveMode: 0o600, wantErr: notBase64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "sealing.key")
			require.NoError(t, os.WriteFile(path, []byte(tt.giveContent), 0o600))
			require.NoError(t, os.Chmod(path, tt.giveMode))

			key, err := SealingKey(filepath.Dir(path))
			if tt.wantErr == "" {
				require.NoError(t, err)
				require.Equal(t, make([]byte, 32), key)
				return
			}
			require.ErrorContains(t, err, path+tt.wantErr)
			require.NotContains(t, err.Error(), "AAAA", "the content is a secret")
		})
	}
}

func TestSealingKeyNeedsAFolder(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err := SealingKey(filepath.Join(file, "data"))
	require.Error(t, err)
}

func requireMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, want, info.Mode().Perm())
}
