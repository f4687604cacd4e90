package gitbook

import (
	"iter"
	"strings"
)

// Matches reports whether a member of the event has one of the values. A path is as in Redact: the
// names of members from object to object with dots between, and it goes on in each element of an
// array.
//
// A value is the text of the member: that of a string, and of a number, true, false or null as it
// stands in the JSON. One that ends with "*" is a prefix. A member that is an object has no text,
// and one that the event does not have matches nothing, not even "*".
//
// It costs one pass over the event for each object on the path, and next to no memory.
func (e Event) Matches(path string, values []string) bool {
	return matches(e.raw, strings.Split(path, "."), values)
}

func matches(value []byte, path, values []string) bool {
	start := skipSpace(value, 0)
	if start == len(value) {
		return false
	}
	switch value[start] {
	case '[':
		for element := range entries(value) {
			if matches(element, path, values) {
				return true
			}
		}
		return false
	case '{':
		if len(path) == 0 {
			return false
		}
		found, ok := lookup(value, path[0])
		return ok && matches(found, path[1:], values)
	default:
		return len(path) == 0 && isOneOf(value, values)
	}
}

func isOneOf(scalar []byte, values []string) bool {
	text, isString := decodeString(scalar)
	if !isString {
		text = string(scalar)
	}
	for _, value := range values {
		if prefix, ok := strings.CutSuffix(value, "*"); ok && strings.HasPrefix(text, prefix) || value == text {
			return true
		}
	}
	return false
}

// entries yields the raw values of a JSON array, which must be valid.
func entries(array []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := skipSpace(array, skipSpace(array, 0)+1)
		for i < len(array) && array[i] != ']' {
			end := valueEnd(array, i)
			if !yield(array[i:end:end]) {
				return
			}
			i = skipSpace(array, end)
			if i < len(array) && array[i] == ',' {
				i = skipSpace(array, i+1)
			}
		}
	}
}
