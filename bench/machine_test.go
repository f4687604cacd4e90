package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFileSystem(t *testing.T) {
	t.Parallel()
	const mounts = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:26 / /tmp rw - tmpfs tmpfs rw
31 22 0:27 / /srv/data rw shared:5 master:1 - xfs /dev/vdb rw
broken
`
	tests := []struct{ give, want string }{
		{"/home/courier", "ext4"},
		{"/", "ext4"},
		{"/tmp", "tmpfs"},
		{"/tmp/bench", "tmpfs"},
		{"/tmpfoo", "ext4"},
		{"/srv/data/bench", "xfs"},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tt.want, fileSystem(mounts, tt.give))
		})
	}
	require.Equal(t, "unknown", fileSystem("", "/home"))
}

func TestValueOf(t *testing.T) {
	t.Parallel()
	const text = "processor\t: 0\nmodel name\t: A CPU: fast\nprocessor\t: 1\nmodel name\t: Another\n"
	require.Equal(t, "A CPU: fast", valueOf(text, "model name"))
	require.Empty(t, valueOf(text, "model"))
}
