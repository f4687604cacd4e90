package main

import (
	"errors"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
	"github.com/stretchr/testify/require"
)

func TestMemoryLimitFollowsTheMachine(t *testing.T) {
	for _, c := range []struct {
		name             string
		available, limit uint64
	}{
		{"a small container", 256 << 20, leastMemoryLimit},
		{"a quarter", 2 << 30, 512 << 20},
		{"a large machine", 64 << 30, mostMemoryLimit},
	} {
		t.Run(c.name, func(t *testing.T) {
			limit, err := memoryLimit(memlimit.Limit(c.available))()
			require.NoError(t, err)
			require.Equal(t, c.limit, limit)
		})
	}
}

func TestMemoryLimitPassesErrorsOn(t *testing.T) {
	broken := errors.New("no /proc")
	_, err := memoryLimit(func() (uint64, error) { return 0, broken })()
	require.ErrorIs(t, err, broken)
}
