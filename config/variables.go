package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// maxReferencedBytes bounds a file that a value refers to; secrets have a few hundred bytes.
const maxReferencedBytes = 64 << 10

// A substitution replaces the references of a value.
type substitution struct {
	// lookup returns the value of an environment variable and whether it is set.
	lookup func(name string) (string, bool)

	// readFile returns the content of a file. Its errors never hold content.
	readFile func(path string) ([]byte, error)

	// folder is the configuration file's, to which paths of files are relative.
	folder string
}

// A referenceProblem is one reference that could not be replaced.
type referenceProblem struct {
	reference string // ${NAME} or ${file:PATH}; empty when the text is neither.
	text      string
}

var (
	variableReference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)
	fileReference     = regexp.MustCompile(`^\$\{file:([^${}[:cntrl:]]+)\}`)
	bareReference     = regexp.MustCompile(`^\$[A-Za-z_][A-Za-z0-9_]*$`)
)

const (
	badReference = "has a ${ that names neither a variable nor a file; write ${NAME} or ${file:PATH}, or $${ for a literal ${"

	// The name is not shown, because it may be a secret that begins with a dollar sign.
	noBraces = "is a dollar sign and a name without braces, which is not replaced; write ${SECRET}, with braces. " +
		"A secret that does begin with $ goes in a variable or a file"
)

// replace replaces every ${NAME} of text by the variable's value, every ${file:PATH} by the file's
// content, and $${ by ${. Replacements are not looked at again. Any other dollar sign is kept.
func (s substitution) replace(text string) (string, []referenceProblem) {
	var out strings.Builder
	var problems []referenceProblem
	for {
		before, _, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), problems
		}
		text = text[len(before):]

		variable, file := variableReference.FindStringSubmatch(text), fileReference.FindStringSubmatch(text)
		switch {
		case variable != nil:
			value, set := s.lookup(variable[1])
			if !set {
				problems = append(problems, referenceProblem{variable[0], "is not set in the environment"})
			}
			out.WriteString(value)
			text = text[len(variable[0]):]
		case file != nil:
			value, err := s.file(file[1])
			if err != nil {
				problems = append(problems, referenceProblem{file[0], err.Error()})
			}
			out.WriteString(value)
			text = text[len(file[0]):]
		case strings.HasPrefix(text, "$${"):
			out.WriteString("${")
			text = text[len("$${"):]
		case strings.HasPrefix(text, "${"):
			problems = append(problems, referenceProblem{"", badReference})
			text = text[len("${"):]
		default:
			out.WriteString("$")
			text = text[len("$"):]
		}
	}
}

// file returns the content of a file without the line break at its end, of which editors and echo
// leave one.
func (s substitution) file(path string) (string, error) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(s.folder, path)
	}
	content, err := s.readFile(path)
	if err != nil {
		return "", err
	}
	text, cut := strings.CutSuffix(string(content), "\n")
	if cut {
		text = strings.TrimSuffix(text, "\r")
	}
	return text, nil
}

// readRegularFile reads a file of at most maxReferencedBytes. A pipe or a device is refused,
// because opening or reading one may never end.
func readRegularFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file; give the path of one")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer func() { _ = file.Close() }()
	content, err := io.ReadAll(io.LimitReader(file, maxReferencedBytes+1))
	if err != nil {
		return nil, unreadable(err)
	}
	if len(content) > maxReferencedBytes {
		return nil, fmt.Errorf("is a file of more than %d bytes; give one that holds this value alone", maxReferencedBytes)
	}
	return content, nil
}

// unreadable leaves the path out of the error: the reference already shows it.
func unreadable(err error) error {
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathError.Err
	}
	return fmt.Errorf("cannot be read (%w); check the path and the file's permissions", err)
}
