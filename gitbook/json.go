package gitbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"reflect"
	"strings"
	"unicode/utf8"
)

var errNotObject = errors.New("is not one JSON object")

// FieldError says which field of the input is wrong. Its text names the field and the remedy and
// never repeats the field's value.
type FieldError struct {
	// Field is the name of the field, with dots below the top: "event", "event.eventId",
	// "environment".
	Field string

	// Err says what is wrong with it.
	Err error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// isObject reports whether data is exactly one valid JSON object. Like encoding/json, it refuses
// more than 10,000 levels of nesting.
func isObject(data []byte) bool {
	return startsObject(data) && json.Valid(data)
}

func startsObject(value []byte) bool {
	start := skipSpace(value, 0)
	return start < len(value) && value[start] == '{'
}

// members yields the names and the raw values of a JSON object in their order. The input must be
// valid JSON, which keeps the scan down to finding where things end; anything but an object has no
// members. A name is valid until the next step only.
func members(object []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		if !startsObject(object) {
			return
		}
		for name, at := range spans(object, skipSpace(object, 0)) {
			if !yield(name, object[at.value:at.end:at.end]) {
				return
			}
		}
	}
}

// A span is where a member of an object stands: its name from start, its value from value to end.
type span struct{ start, value, end int }

// spans yields the names and the places of the members of the object that starts at i, under the
// conditions of members.
func spans(data []byte, i int) iter.Seq2[[]byte, span] {
	return func(yield func(name []byte, at span) bool) {
		for i := i + 1; ; {
			i = skipSpace(data, i)
			if i >= len(data) || data[i] != '"' { // The closing brace.
				return
			}
			at := span{start: i}
			i = stringEnd(data, i)
			name := unquote(data[at.start:i])

			i = skipSpace(data, i) + 1 // The colon.
			at.value = skipSpace(data, i)
			at.end = valueEnd(data, at.value)
			if at.value >= at.end || !yield(name, at) {
				return
			}
			i = skipSpace(data, at.end) + 1 // The comma, or the closing brace.
		}
	}
}

// lookup follows names from object to object. The last member of a name counts.
func lookup(value []byte, path ...string) ([]byte, bool) {
	for _, want := range path {
		var found []byte
		for name, member := range members(value) {
			if string(name) == want {
				found = member
			}
		}
		if found == nil {
			return nil, false
		}
		value = found
	}
	return value, value != nil
}

// stringAt returns the string at a path, or "" when there is none.
func stringAt(value []byte, path ...string) string {
	raw, _ := lookup(value, path...)
	text, _ := decodeString(raw)
	return text
}

// decodeString returns a copy of the text of a raw JSON string, and false for a value of any other
// kind.
func decodeString(raw []byte) (string, bool) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", false
	}
	return string(unquote(raw)), true
}

// unquote returns the text of a JSON string. Without an escape that is a part of the input.
func unquote(quoted []byte) []byte {
	if len(quoted) < 2 {
		return nil
	}
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return inner
	}
	var text string
	if json.Unmarshal(quoted, &text) != nil { // Not reached with valid JSON.
		return nil
	}
	return []byte(text)
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	return i
}

// stringEnd returns the index after the string that starts at i.
func stringEnd(data []byte, i int) int {
	for i++; i < len(data); i++ {
		switch data[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(data)
}

// valueEnd returns the index after the value that starts at i.
func valueEnd(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			i = stringEnd(data, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 { // A number or a word ends where its object does.
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(data)
}

// decodeFields fills the struct that target points to from the members whose names are exactly
// those of its json tags. encoding/json alone would also take "URL" for "url". A null leaves its
// field as it is.
func decodeFields(data []byte, target any) error {
	if string(data) == "null" {
		return nil
	}
	if !isObject(data) {
		return errNotObject
	}
	fields := reflect.ValueOf(target).Elem()
	names := make([]string, fields.NumField())
	for i := range names {
		names[i], _, _ = strings.Cut(fields.Type().Field(i).Tag.Get("json"), ",")
	}
	values := make([][]byte, len(names))
	for name, value := range members(data) {
		for i := range names {
			if names[i] == string(name) {
				values[i] = value
			}
		}
	}
	for i, value := range values {
		if value == nil {
			continue
		}
		if err := json.Unmarshal(value, fields.Field(i).Addr().Interface()); err != nil {
			return &FieldError{Field: names[i], Err: err}
		}
	}
	return nil
}
