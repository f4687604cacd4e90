package app

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
)

const (
	oneSecret  = "destinations: [{name: search, url: 'https://example.com/', secrets: ['${file:secret}']}]\n"
	noneAtAll  = "destinations: []\n"
	brokenFile = "destinations: [{name: Search}]\nnonsense: 1\n"
)

// reloading is a reloader of files in a folder, with what it has done.
type reloading struct {
	*reloader
	folder  string
	log     *output
	applied []config.Config
}

func newReloading(t *testing.T) *reloading {
	t.Helper()
	r := &reloading{folder: t.TempDir(), log: &output{}}
	r.write(t, "secret", "one\n")
	r.write(t, "courier.yaml", oneSecret)
	file := filepath.Join(r.folder, "courier.yaml")
	c, err := config.Load(file, config.Options{})
	require.NoError(t, err)
	r.reloader = &reloader{
		file: file, live: config.NewLive(c), log: slog.New(slog.NewTextHandler(r.log, nil)), now: time.Now, done: make(chan struct{}),
		apply:   []func(config.Config){func(c config.Config) { r.applied = append(r.applied, c) }},
		waiting: func(context.Context, string) (int64, error) { return 3, nil },
		load: func() (c config.Config, files []string, err error) {
			c, err = config.Load(file, config.Options{Read: func(path string) { files = append(files, path) }})
			return c, files, err
		},
	}
	require.True(t, r.look(), "the first look")
	return r
}

func (r *reloading) write(t *testing.T, name, content string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(r.folder, name), []byte(content), 0o600))
}

func (r *reloading) secret() string { return r.live.Current().Destinations[0].Secrets[0].Reveal() }

func TestLookFindsWhatChanges(t *testing.T) {
	t.Parallel()
	r := newReloading(t)
	require.False(t, r.look())
	r.write(t, "secret", "two\n")
	require.True(t, r.look(), "a file that a value refers to")
	require.False(t, r.look())
	r.write(t, "courier.yaml", oneSecret+"# more\n")
	require.True(t, r.look())

	// As Kubernetes does: the file is a link, which is put in place of another.
	require.NoError(t, os.Remove(r.file))
	require.False(t, r.look(), "it is missing for a moment")
	r.write(t, "other.yaml", noneAtAll)
	require.NoError(t, os.Symlink(filepath.Join(r.folder, "other.yaml"), r.file))
	require.True(t, r.look())
}

func TestReloadIsWholeOrNot(t *testing.T) {
	t.Parallel()
	r := newReloading(t)
	r.write(t, "secret", "two\n")
	r.reload(t.Context())
	require.Equal(t, "two", r.secret())
	require.Len(t, r.applied, 1)
	require.True(t, r.log.has("configuration reloaded"))

	r.write(t, "courier.yaml", brokenFile)
	r.reload(t.Context())
	require.Equal(t, "two", r.secret(), "the one before stays")
	require.Len(t, r.applied, 1)
	for _, want := range []string{"configuration not reloaded", "destinations[0].name", "nonsense", "destinations[0].url"} {
		require.True(t, r.log.has(want), want)
	}
	failed, _ := r.state()
	require.True(t, failed)

	r.write(t, "courier.yaml", oneSecret)
	r.reload(t.Context())
	require.True(t, r.log.has("nothing has changed"))
	failed, _ = r.state()
	require.False(t, failed)

	r.write(t, "courier.yaml", "listen: 127.0.0.1:1\n"+noneAtAll)
	r.reload(t.Context())
	require.True(t, r.log.has("these keys count from the next start on"))
	require.True(t, r.log.has("keys=[listen]"))
	require.True(t, r.log.has("destination=search deliveries=3"), "a removed destination")
	require.Empty(t, r.live.Current().Destinations)
	require.Equal(t, config.DefaultListen, r.live.Current().Listen)
}

// SIGHUP reads again at once, and ends no program, not even one without a file.
func TestHangup(t *testing.T) { //nolint:paralleltest // The signal reaches the whole process.
	r := newReloading(t)
	none := newReloading(t)
	none.file = ""
	for _, r := range []*reloading{r, none} {
		require.NoError(t, r.start(t.Context()))
		defer func() { require.NoError(t, r.stop(t.Context())) }()
	}
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGHUP))
	require.Eventually(t, func() bool { return r.log.has("nothing has changed") && none.log.has("no configuration file") }, 10*time.Second, 10*time.Millisecond)
}
