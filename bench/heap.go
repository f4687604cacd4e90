package main

import (
	"regexp"
	"strconv"
	"sync"
)

// heapTrace adds up what a Go program has allocated, from the lines that the runtime prints with
// GODEBUG=gctrace=1 at each garbage collection. A program need not help with it, and the figure is
// good to some percent when there were many collections.
type heapTrace struct {
	mu                sync.Mutex
	live, allocatedMB int64
}

// collection is a line of the trace, such as "gc 7 @1.2s 1%: 0.1+2+0.01 ms clock, 0.3+0/3/0+0.02 ms
// cpu, 4->5->2 MB, 5 MB goal, …": the heap when the collection began, when it ended, and what of it
// lives.
var collection = regexp.MustCompile(`^gc \d+ @.* (\d+)->(\d+)->(\d+) MB`)

// line takes a line of the program's output, and reports whether it was one of the trace.
func (h *heapTrace) line(text string) bool {
	found := collection.FindStringSubmatch(text)
	if found == nil {
		return false
	}
	var sizes [3]int64
	for i := range sizes {
		sizes[i], _ = strconv.ParseInt(found[i+1], 10, 64) // They are digits.
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	// Added since the last collection, and during this one.
	h.allocatedMB += sizes[1] - h.live
	h.live = sizes[2]
	return true
}

// allocated is what was allocated until the last collection, in bytes.
func (h *heapTrace) allocated() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.allocatedMB << 20
}
