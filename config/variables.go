package config

import (
	"regexp"
	"strings"
)

// A variableProblem is one reference to a variable that could not be replaced.
type variableProblem struct {
	reference string // ${NAME}, or empty when what was written is not a reference.
	text      string
}

var reference = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// substitute replaces every ${NAME} of text by the variable's value, which is not looked at again, and $${ by
// ${. Any other dollar sign stands for itself.
func substitute(text string, lookup func(string) (string, bool)) (string, []variableProblem) {
	var out strings.Builder
	var problems []variableProblem
	for {
		before, _, found := strings.Cut(text, "$")
		out.WriteString(before)
		if !found {
			return out.String(), problems
		}
		text = text[len(before):]

		match := reference.FindStringSubmatch(text)
		switch {
		case match != nil:
			value, set := lookup(match[1])
			if !set {
				problems = append(problems, variableProblem{match[0], "is not set in the environment"})
			}
			out.WriteString(value)
			text = text[len(match[0]):]
		case strings.HasPrefix(text, "$${"):
			out.WriteString("${")
			text = text[len("$${"):]
		case strings.HasPrefix(text, "${"):
			problems = append(problems, variableProblem{"", "has a ${ that names no variable; write ${NAME}, or $${ for ${ itself"})
			text = text[len("${"):]
		default:
			out.WriteString("$")
			text = text[len("$"):]
		}
	}
}
