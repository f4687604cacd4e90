package gitbook

import (
	"encoding/json"
	"strings"
)

// Redact returns the event without the members that the paths name. Every byte besides them, and
// the comma that divides each from its neighbour, stays as it came; when there is nothing to
// remove, the result is the event itself.
//
// A path is the names of members from object to object with dots between, such as "visitor.ip": a
// name that has a dot of its own cannot be named. Arrays on the way do not count: the path goes on
// in each of their elements. Names match in their exact case, however they are escaped, and all
// members of a repeated name are removed. What a path does not lead to is passed over.
//
// The event must be valid JSON. Of anything else it cannot be said what is to be removed, so
// nothing is left of it but null.
func Redact(event []byte, paths []string) []byte {
	if len(paths) == 0 {
		return event
	}
	if !json.Valid(event) {
		return []byte("null")
	}
	r := redactor{event: event}
	r.value(skipSpace(event, 0), paths)
	if r.copied == 0 {
		return event
	}
	return append(r.kept, event[r.copied:]...)
}

// A redactor copies an event piece by piece, leaving out what is cut.
type redactor struct {
	event []byte
	kept  []byte
	// copied is the index up to which the event is in kept, or cut.
	copied int
	// below are the rests of the paths that lead into the values which are being looked through.
	below []string
}

// cut leaves out the bytes from start to end. Calls go from the left to the right.
func (r *redactor) cut(start, end int) {
	if r.kept == nil {
		r.kept = make([]byte, 0, len(r.event))
	}
	r.kept = append(r.kept, r.event[r.copied:start]...)
	r.copied = end
}

// value cuts what the paths name within the value that starts at i, and returns the index after the
// value. An array is gone through once, however deep its elements are nested.
func (r *redactor) value(i int, paths []string) int {
	switch r.event[i] {
	case '{':
		r.object(i, paths)
	case '[':
		i = skipSpace(r.event, i+1)
		for r.event[i] != ']' {
			i = skipSpace(r.event, r.value(i, paths))
			if r.event[i] == ',' {
				i = skipSpace(r.event, i+1)
			}
		}
		return i + 1
	}
	return valueEnd(r.event, i)
}

func (r *redactor) object(start int, paths []string) {
	kept := false // Whether a member before this one stays.
	last := 0     // Where the member before this one ends.
	for name, at := range spans(r.event, start) {
		named := len(r.below)
		remove := r.descend(name, paths)
		switch {
		case remove && last == 0:
			r.cut(at.start, at.end)
		case remove:
			r.cut(last, at.end) // With the comma before it.
		default:
			if !kept && last > 0 {
				r.cut(last, at.start) // The comma after those that were removed.
			}
			kept = true
			if len(r.below) > named {
				r.value(at.value, r.below[named:])
			}
		}
		r.below = r.below[:named]
		last = at.end
	}
}

// descend reports whether a path ends at the member, and adds the rests of those that go on in it
// to below.
func (r *redactor) descend(name []byte, paths []string) bool {
	for _, path := range paths {
		first, rest, more := strings.Cut(path, ".")
		if first != string(name) {
			continue
		}
		if !more {
			return true
		}
		r.below = append(r.below, rest)
	}
	return false
}
