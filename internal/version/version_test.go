package version

import (
	"os"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInfo(t *testing.T) {
	t.Parallel()
	sdk := &debug.Module{Path: "go.temporal.io/sdk", Version: "v1.50.0"}
	server := &debug.Module{Path: "go.temporal.io/server", Version: "v1.32.1"}
	revision := debug.BuildSetting{Key: "vcs.revision", Value: "01395c66ef3affec96ef6c53e30bb190622cc934"}
	changed := debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, tt := range []struct {
		name   string
		build  *debug.BuildInfo
		commit string
		want   string
	}{
		{"no build information", nil, "", Number + ", commit unknown, Temporal unknown"},
		{"a starter", &debug.BuildInfo{Deps: []*debug.Module{sdk}, Settings: []debug.BuildSetting{revision}}, "", Number + ", commit 01395c66ef3a, Temporal SDK 1.50.0"},
		{"changed files", &debug.BuildInfo{Settings: []debug.BuildSetting{revision, changed}}, "", Number + ", commit 01395c66ef3a+dirty, Temporal unknown"},
		{"standalone", &debug.BuildInfo{Deps: []*debug.Module{sdk, server}}, "0123456789ab", Number + ", commit 0123456789ab, Temporal server 1.32.1"},
		{"standalone, in another order", &debug.BuildInfo{Deps: []*debug.Module{server, sdk}}, "", Number + ", commit unknown, Temporal server 1.32.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, of(tt.build, tt.commit).String())
		})
	}
}

// The number is that of the newest part of the changelog.
func TestNumberIsTheChangelogs(t *testing.T) {
	t.Parallel()
	changelog, err := os.ReadFile("../../CHANGELOG.md")
	require.NoError(t, err)
	newest := regexp.MustCompile(`(?m)^## \[(.+?)\]`).FindSubmatch(changelog)
	require.NotNil(t, newest)
	if string(newest[1]) == "Unreleased" {
		release, dev := strings.CutSuffix(Number, "-dev")
		require.True(t, dev, "the release is still to come")
		require.Contains(t, string(changelog), "This becomes "+release+".")
		return
	}
	require.Equal(t, Number, string(newest[1]))
}
