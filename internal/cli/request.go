package cli

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"strconv"
	"strings"
)

// received is a webhook as somebody has kept it.
type received struct {
	header http.Header
	body   []byte
	// dumped says that header and body stood in one text, in which a line break at the end may be
	// that of the tool which kept it.
	dumped bool
}

// readInput reads a file, or the standard input for "-".
func (c *cli) readInput(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(c.in)
	}
	return os.ReadFile(name)
}

// readReceived reads a webhook: a whole request from one file, or headers from flags beside a body
// in a file.
func (c *cli) readReceived(file, bodyFile string, headers []string) (received, error) {
	if bodyFile == "" {
		if len(headers) > 0 {
			return received{}, errors.New("--header goes with --body, the file of the body")
		}
		data, err := c.readInput(file)
		if err != nil {
			return received{}, err
		}
		return parseDump(data)
	}
	body, err := c.readInput(bodyFile)
	if err != nil {
		return received{}, err
	}
	r := received{header: make(http.Header), body: body}
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return received{}, fmt.Errorf("--header must be 'Name: value', not %q", shown(line))
		}
		r.header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	return r, nil
}

// parseDump reads a request as it went over the wire, or as curl -v, httpie and logs show it: lines
// of headers, perhaps below a request line and behind a "> ", an empty line, and the body to the
// end.
func parseDump(data []byte) (received, error) {
	r := received{header: make(http.Header), dumped: true}
	reader := bufio.NewReader(bytes.NewReader(data))
	for first := true; ; first = false {
		line, err := reader.ReadString('\n')
		text := strings.TrimPrefix(strings.TrimRight(line, "\r\n"), "> ")
		if text == "" || text == ">" {
			if err != nil || len(r.header) > 0 {
				break
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		switch {
		case ok && isToken(name):
			r.header.Add(textproto.TrimString(name), textproto.TrimString(value))
		case first: // POST / HTTP/1.1
		default:
			return r, fmt.Errorf("%q is no header; the input must be a request: headers, an empty line, the body", shown(text[:min(len(text), 40)]))
		}
		if err != nil {
			break
		}
	}
	if len(r.header) == 0 {
		return r, errors.New("there are no headers; the input must be a request: headers, an empty line, the body. A body alone goes with --body and --header")
	}
	body, err := io.ReadAll(reader)
	r.body = body
	return r, err
}

func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) })
}

// length is the value of Content-Length, or -1 when there is none.
func (r received) length() int {
	n, err := strconv.Atoi(r.header.Get("Content-Length"))
	if err != nil || n < 0 {
		return -1
	}
	return n
}
