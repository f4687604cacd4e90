package config

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A FieldError is one error in a configuration. Its text is one line, such as "courier.yaml:12:
// destinations[0].timeout: 50ms is not between 100ms and 30s".
type FieldError struct {
	// File is the name of the file, and Line the line in it, from 1; empty and 0 where there is
	// none.
	File string
	Line int

	// Field is the path of the key, such as destinations[0].url; empty for the file as a whole.
	Field string

	// Value is the text at fault as the file has it, before variables and files are replaced. It is
	// empty when there is none to show, and always for a secret.
	Value string

	// Err is the problem and its remedy.
	Err error

	// cause is the field that makes Field necessary, whose line is shown when Field is missing.
	cause string
}

// Error returns the file and line, the field, the value and the problem, as far as they are known.
func (e *FieldError) Error() string {
	var text strings.Builder
	if e.File != "" {
		text.WriteString(e.File)
		if e.Line > 0 {
			text.WriteString(":" + strconv.Itoa(e.Line))
		}
		text.WriteString(": ")
	}
	if e.Field != "" {
		text.WriteString(e.Field + ": ")
	}
	if e.Value != "" {
		text.WriteString(showValue(e.Value) + " ")
	}
	text.WriteString(e.Err.Error())
	return text.String()
}

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// join makes one error of the problems, in the order of their lines, or nil when there are none.
func join(problems []*FieldError) error {
	slices.SortStableFunc(problems, func(a, b *FieldError) int { return cmp.Compare(a.Line, b.Line) })
	errs := make([]error, len(problems))
	for i, problem := range problems {
		errs[i] = problem
	}
	return errors.Join(errs...)
}

// maxShown is the most characters of a value or key that an error shows.
const maxShown = 64

// showValue returns the text on one line and of a bounded length, in quotes when it would be
// misread without.
func showValue(text string) string {
	runes := []rune(text)
	cut := ""
	if len(runes) > maxShown {
		text, cut = string(runes[:maxShown]), "…"
	}
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' || r == '"' || r == unicode.ReplacementChar }
	if strings.ContainsFunc(text, odd) {
		text = strconv.Quote(text)
	}
	return text + cut
}

// keyPattern matches keys that may be shown although they are not known.
var keyPattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// member is the path of a key in the mapping at path.
func member(path, key string) string {
	if !plainKey.MatchString(key) {
		key = strconv.Quote(string([]rune(key)[:min(len([]rune(key)), maxShown)]))
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

// item is the path of an entry of the list at path.
func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// parent is the path of the mapping or list that contains path; that of a top-level key is empty.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }
