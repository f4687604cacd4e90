package main

import (
	"fmt"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// Where the garbage collector's limit lies, in bytes: a quarter of the memory that the process may
// have, within these bounds. Below the first it would never rest; above the second more does not
// make it cheaper.
const (
	memoryShare      = 4
	leastMemoryLimit = 192 << 20
	mostMemoryLimit  = 512 << 20
)

// limitMemory has the garbage collector work harder as the heap nears the limit, so that bursts of
// large events leave the machine its memory. GOMEMLIMIT sets another limit.
func limitMemory() error {
	limited := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)
	_, err := memlimit.SetGoMemLimitWithOpts(memlimit.WithRatio(1), memlimit.WithProvider(memoryLimit(limited)))
	if err != nil {
		return fmt.Errorf("the memory that this process may have: %w", err)
	}
	return nil
}

// memoryLimit is the limit for what a provider finds.
func memoryLimit(available memlimit.Provider) memlimit.Provider {
	return func() (uint64, error) {
		size, err := available()
		if err != nil {
			return 0, err
		}
		return min(max(size/memoryShare, leastMemoryLimit), mostMemoryLimit), nil
	}
}
