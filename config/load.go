package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFileBytes bounds a configuration file; real ones have a few KiB.
const maxFileBytes = 1 << 20

// Options are a configuration's inputs besides its file.
type Options struct {
	// Lookup returns the value of an environment variable and whether it is set. Defaults to
	// os.LookupEnv.
	Lookup func(string) (string, bool)

	// SealingKey, when not nil, is appended to the file's sealing keys: it opens always, and seals
	// when the file has none. It must be seal.KeySize bytes.
	SealingKey []byte

	// Listen and AdminListen, when not empty, take the place of the file's listen and admin_listen.
	Listen, AdminListen string

	// Read, when not nil, is told the path of every file that a value refers to.
	Read func(path string)

	// readFile returns the content of the file that a value refers to. Defaults to readRegularFile.
	readFile func(path string) ([]byte, error)
}

// Load reads, completes and validates the configuration file at path. An empty path means the
// defaults. Its error holds a [*FieldError] for every error in the file, one to a line.
func Load(path string, opts Options) (Config, error) {
	if path == "" {
		return Parse(nil, "", opts)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	return Parse(data, path, opts)
}

// Parse is [Load] for the contents of the file with that name, which errors show.
//
// ${NAME} inside a value is replaced by the environment variable NAME, and ${file:PATH} by the
// content of the file at PATH without a line break at its end; a relative PATH begins at the folder
// of the configuration file. Such a file has at most 64 KiB. $${ is a literal ${. All of this
// happens after the YAML is parsed, so a replacement can hold any text without becoming YAML. Keys
// are not replaced. A secret that is a dollar sign and a name without braces is refused.
func Parse(data []byte, name string, opts Options) (Config, error) {
	root, problem := parseYAML(data)
	if problem != nil {
		problem.File = name
		return Config{}, join([]*FieldError{problem})
	}

	lookup := opts.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	readFile := opts.readFile
	if readFile == nil {
		readFile = readRegularFile
	}
	if opts.Read != nil {
		read := readFile
		readFile = func(path string) ([]byte, error) {
			opts.Read(path)
			return read(path)
		}
	}
	d := newDecoder(name, substitution{lookup: lookup, readFile: readFile, folder: filepath.Dir(name)})
	cfg := Default()
	if root != nil {
		d.lines[""] = root.Line
		d.decode(root, "", reflect.ValueOf(&cfg).Elem())
	}
	if opts.Listen != "" {
		cfg.Listen = opts.Listen
		delete(d.lines, "listen")
	}
	if opts.AdminListen != "" {
		cfg.AdminListen = opts.AdminListen
		delete(d.lines, "admin_listen")
	}
	if opts.SealingKey != nil {
		cfg.SealingKeys = append(cfg.SealingKeys, Secret(base64.StdEncoding.EncodeToString(opts.SealingKey)))
	}

	if err := join(slices.Concat(d.problems, d.locate(cfg.problems()))); err != nil {
		return Config{}, err
	}
	return cfg, nil
}

// parseYAML returns the root of the only document, or nil when it is empty.
func parseYAML(data []byte) (*yaml.Node, *FieldError) {
	if len(data) > maxFileBytes {
		return nil, &FieldError{Err: fmt.Errorf("is larger than %d bytes", maxFileBytes)}
	}
	decoder := yaml.NewDecoder(bytes.NewReader(data))

	var document, further yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, syntaxError(err, data)
	}
	if err := decoder.Decode(&further); err == nil {
		return nil, &FieldError{Line: further.Line, Err: errors.New("a second document begins here; keep one to a file")}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(err, data)
	}

	root := document.Content[0]
	if root.ShortTag() == "!!null" && root.Style&yaml.TaggedStyle == 0 {
		return nil, nil
	}
	return root, nil
}

var (
	syntaxLine = regexp.MustCompile(`^line (\d+): `)

	// parserMessage matches the messages of the YAML library's parser, whose lines count from 0;
	// those of its scanner count from 1.
	parserMessage = regexp.MustCompile(`^did not find expected (key|node content|'-' indicator|',' or '[\]}]'|<.*>)$`)
)

// syntaxError rewrites an error of the YAML library. Line 1 is the one that the library does not
// mention.
func syntaxError(err error, data []byte) *FieldError {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 1
	if found := syntaxLine.FindStringSubmatch(message); found != nil {
		message = message[len(found[0]):]
		line, _ = strconv.Atoi(found[1])
		if parserMessage.MatchString(message) {
			line++
		}
	}
	switch {
	case strings.HasPrefix(message, "unknown anchor"):
		// The library quotes the name, which may be a secret that begins with an asterisk, and
		// gives no line.
		line, message = 0, "an alias (*name) has no anchor; a value that begins with * goes in quotes"
	case strings.Contains(message, "expected ',' or '") && bytes.Contains(data, []byte("${")):
		message += "; between brackets, ${NAME} goes in quotes"
	}
	return &FieldError{Line: line, Err: errors.New("is not valid YAML: " + message)}
}
