package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A decoder fills a Config from YAML nodes. Unlike the YAML library's own decoding it goes on after
// an error, remembers where each field is, and replaces references to variables and files.
//
// A scalar is the text as it is written, which its field reads as it needs to. YAML's own types do
// not count: a secret 0123 stays 0123.
type decoder struct {
	file     string
	values   substitution
	lines    map[string]int    // The line of each field, by path.
	written  map[string]string // The text of each scalar that may be shown, by path.
	broken   map[string]bool   // The fields that could not be read, by path.
	problems []*FieldError
}

func newDecoder(file string, values substitution) *decoder {
	return &decoder{
		file:    file,
		values:  values,
		lines:   map[string]int{},
		written: map[string]string{},
		broken:  map[string]bool{},
	}
}

// fail notes a problem of the field at path, on a line of its own.
func (d *decoder) fail(path string, line int, value string, err error) {
	d.problems = append(d.problems, &FieldError{File: d.file, Line: line, Field: path, Value: value, Err: err})
}

// refuse notes that the field at path could not be read, so that validation does not complain of
// what it lacks.
func (d *decoder) refuse(path, value, problem string) {
	d.broken[path] = true
	d.fail(path, d.lines[path], value, errors.New(problem))
}

// locate adds file, line and the text as written to the problems that validation found, and leaves
// out those that only follow from a field that could not be read.
func (d *decoder) locate(problems []*FieldError) []*FieldError {
	var located []*FieldError
	for _, problem := range problems {
		if d.isBroken(problem.Field) {
			continue
		}
		problem.File = d.file
		problem.Line = d.line(problem.Field, problem.cause)
		if written, ok := d.written[problem.Field]; ok && problem.Value != "" {
			problem.Value = written
		}
		located = append(located, problem)
	}
	return located
}

func (d *decoder) isBroken(path string) bool {
	for ; path != ""; path = parent(path) {
		if d.broken[path] {
			return true
		}
	}
	return d.broken[""]
}

// line is the line of the field or, when it is missing, that of its cause or of the mapping that
// should have it.
func (d *decoder) line(path, cause string) int {
	if line, ok := d.lines[path]; ok {
		return line
	}
	if line, ok := d.lines[cause]; ok && cause != "" {
		return line
	}
	for path != "" {
		path = parent(path)
		if line, ok := d.lines[path]; ok {
			return line
		}
	}
	return 0
}

// decode reads node, which is at path, into out. The schema has no recursion, so an alias that
// contains itself ends as a value of the wrong kind.
func (d *decoder) decode(node *yaml.Node, path string, out reflect.Value) {
	node = target(node)
	if node.Style&yaml.TaggedStyle != 0 {
		d.refuse(path, "", "YAML tags are not supported; a value that begins with ! goes in quotes")
		return
	}
	if node.ShortTag() == "!!null" {
		d.refuse(path, "", "has no value; give it one or leave it out")
		return
	}

	switch {
	case out.Kind() == reflect.Struct:
		d.structure(node, path, out)
	case out.Kind() == reflect.Slice:
		d.list(node, path, out)
	case out.Type() == reflect.TypeFor[Headers]():
		d.headers(node, path, out)
	case out.Kind() == reflect.Map:
		d.match(node, path, out)
	default:
		d.scalar(node, path, out)
	}
}

func (d *decoder) structure(node *yaml.Node, path string, out reflect.Value) {
	fields := map[string]int{}
	var names []string
	for i := range out.NumField() {
		name := out.Type().Field(i).Tag.Get("yaml")
		fields[name] = i
		names = append(names, name)
	}
	d.mapping(node, path, keyPattern, func(key string, keyNode, value *yaml.Node) {
		index, known := fields[key]
		if !known {
			d.unknownKey(path, key, keyNode.Line, names)
			return
		}
		field := member(path, key)
		d.lines[field] = keyNode.Line
		d.decode(value, field, out.Field(index))
	})
}

// unknownKey notes a key that does not exist in the mapping at path. A key that does not look like
// one may be a secret in the wrong place, so it is not shown.
func (d *decoder) unknownKey(path, key string, line int, names []string) {
	problem := "has a key that does not exist here"
	if keyPattern.MatchString(key) {
		path, problem = member(path, key), "is not a key that exists here"
	}
	if near, ok := nearest(key, names); ok {
		problem += "; did you mean " + near + "?"
	}
	d.fail(path, line, "", errors.New(problem))
}

func (d *decoder) headers(node *yaml.Node, path string, out reflect.Value) {
	out.Set(reflect.MakeMap(out.Type()))
	d.mapping(node, path, headerNamePattern, func(key string, keyNode, value *yaml.Node) {
		field := member(path, key)
		d.lines[field] = keyNode.Line
		var text Secret
		d.decode(value, field, reflect.ValueOf(&text).Elem())
		out.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(text.Reveal()))
	})
}

// match reads a mapping of paths, whose dots are part of the key, to lists.
func (d *decoder) match(node *yaml.Node, path string, out reflect.Value) {
	out.Set(reflect.MakeMap(out.Type()))
	d.mapping(node, path, pathPattern, func(key string, keyNode, value *yaml.Node) {
		field := member(path, key)
		d.lines[field] = keyNode.Line
		var values []string
		d.decode(value, field, reflect.ValueOf(&values).Elem())
		out.SetMapIndex(reflect.ValueOf(key), reflect.ValueOf(values))
	})
}

// mapping calls each for every key of a mapping, and notes keys that are given twice or are not
// names. A key that does not match shown may be a secret in the wrong place, so it is not shown.
func (d *decoder) mapping(
	node *yaml.Node, path string, shown *regexp.Regexp, each func(key string, keyNode, value *yaml.Node),
) {
	if node.Kind != yaml.MappingNode {
		d.refuse(path, "", "must have keys of its own, not "+kindName(node))
		return
	}
	first := map[string]int{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		keyNode, value := node.Content[i], node.Content[i+1]
		name := target(keyNode)
		if name.Kind != yaml.ScalarNode {
			d.fail(path, keyNode.Line, "", errors.New("a key must be a name, not "+kindName(name)))
			continue
		}
		if line, twice := first[name.Value]; twice {
			if shown.MatchString(name.Value) {
				d.fail(member(path, name.Value), keyNode.Line, "", fmt.Errorf("is given twice; the first is on line %d", line))
			} else {
				d.fail(path, keyNode.Line, "", fmt.Errorf("has a key that is given twice; the first is on line %d", line))
			}
			continue
		}
		first[name.Value] = keyNode.Line
		each(name.Value, keyNode, value)
	}
}

func (d *decoder) list(node *yaml.Node, path string, out reflect.Value) {
	if node.Kind != yaml.SequenceNode {
		d.refuse(path, "", "must be a list, not "+kindName(node))
		return
	}
	out.Set(reflect.MakeSlice(out.Type(), len(node.Content), len(node.Content)))
	for i, entry := range node.Content {
		field := item(path, i)
		d.lines[field] = entry.Line
		if destination, ok := out.Index(i).Addr().Interface().(*Destination); ok {
			*destination = DefaultDestination()
		}
		d.decode(entry, field, out.Index(i))
	}
}

func (d *decoder) scalar(node *yaml.Node, path string, out reflect.Value) {
	if node.Kind != yaml.ScalarNode {
		d.refuse(path, "", "must be a single value, not "+kindName(node))
		return
	}
	_, secret := out.Interface().(Secret)
	shown := ""
	if !secret {
		shown = node.Value
		d.written[path] = node.Value
	}

	if secret && bareReference.MatchString(node.Value) {
		d.refuse(path, "", noBraces)
		return
	}
	text, problems := d.values.replace(node.Value)
	for _, problem := range problems {
		d.refuse(path, problem.reference, problem.text)
	}
	if len(problems) > 0 {
		return
	}

	switch value := out.Addr().Interface().(type) {
	case *time.Duration:
		parsed, err := parseDuration(text)
		if err != nil {
			d.refuse(path, shown, err.Error())
		}
		*value = parsed
	case *bool:
		if text != "true" && text != "false" {
			d.refuse(path, shown, "is not true or false")
		}
		*value = text == "true"
	case *int64:
		*value = whole(d, path, shown, text)
	case *int:
		*value = int(whole(d, path, shown, text))
	case *float64:
		parsed, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(parsed) || math.IsInf(parsed, 0) {
			d.refuse(path, shown, "is not a number")
		}
		*value = parsed
	default:
		out.SetString(text)
	}
}

func whole(d *decoder, path, shown, text string) int64 {
	parsed, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		d.refuse(path, shown, "is not a whole number")
	}
	return parsed
}

// target is the node itself, or the anchor's for an alias.
func target(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func kindName(node *yaml.Node) string {
	switch node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return "a single value"
	}
}

// nearest is the name that was probably meant by key: the one with the fewest letters changed, at
// most three and at most a third of it. Case, "-" and "_" do not count.
func nearest(key string, names []string) (string, bool) {
	plain := func(s string) string { return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s)) }
	if len(key) > maxShown {
		return "", false
	}
	best, bestDistance := "", 4
	for _, name := range names {
		distance := editDistance(plain(key), plain(name))
		if distance < bestDistance && distance <= (len(name)+2)/3 {
			best, bestDistance = name, distance
		}
	}
	return best, best != ""
}

// editDistance is the number of bytes to insert, delete or replace to make a into b (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
