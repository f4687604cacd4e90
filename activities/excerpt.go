package activities

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/andybalholm/brotli"
	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"golang.org/x/net/html/charset"
)

const (
	// minConcealed is the least length of what excerpt conceals, in bytes: shorter values are words
	// such as a team's name, and no secrets.
	minConcealed = 8
	// maxEncodings bounds how often a reply is decompressed; more than once is odd.
	maxEncodings = 3
	// concealed takes the place of a secret.
	concealed = "[secret]"
)

// excerpt is the beginning of a reply as text, for the attempt log: decompressed, in UTF-8, a
// page's words without its markup. Some destinations repeat the request, as test servers and error
// pages do, so the secrets that it held are replaced, also where they stand escaped.
func (t Target) excerpt(body []byte, replied, sent http.Header) string {
	if len(body) == 0 {
		return "" // as most replies to webhooks are
	}
	truncated := len(body) >= maxReplyRead
	body = decompress(body, replied.Values("Content-Encoding"))
	truncated = truncated || len(body) >= maxReplyRead
	text := decode(body, replied.Get("Content-Type"))
	secrets := t.sent(sent)
	if truncated && len(secrets) > 0 {
		// The end may be the beginning of a secret.
		text = strings.ToValidUTF8(text[:max(0, len(text)-maxEscaped*len(secrets[0]))], "")
	}
	if isHTML(replied.Get("Content-Type"), text) {
		text = words(text)
	}
	text = strings.TrimSpace(harmless(text))
	for _, secret := range secrets {
		text = conceal(text, secret)
	}
	if len(text) > maxReplyKept {
		text = text[:maxReplyKept]
	}
	return strings.ToValidUTF8(text, "")
}

// decompress undoes the content encodings within bounds. What can't be undone stays as it is.
func decompress(body []byte, header []string) []byte {
	var encodings []string
	for encoding := range strings.SplitSeq(strings.ToLower(strings.Join(header, ",")), ",") {
		if encoding = strings.TrimSpace(encoding); encoding != "" && encoding != "identity" {
			encodings = append(encodings, encoding)
		}
	}
	if len(encodings) == 0 && bytes.HasPrefix(body, []byte{0x1f, 0x8b}) {
		encodings = []string{"gzip"} // undeclared
	}
	if len(encodings) > maxEncodings {
		return body
	}
	for _, encoding := range slices.Backward(encodings) {
		plain := decompressOnce(body, encoding)
		if len(plain) == 0 {
			return body
		}
		body = plain
	}
	return body
}

// decompressOnce is the beginning of what was compressed, as far as it can be read.
func decompressOnce(body []byte, encoding string) []byte {
	var (
		reader io.Reader
		err    error
	)
	switch encoding {
	case "gzip", "x-gzip":
		reader, err = gzip.NewReader(bytes.NewReader(body))
	case "br":
		reader = brotli.NewReader(bytes.NewReader(body))
	case "deflate":
		// Some servers leave out the frame that the specification demands.
		if reader, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			reader, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	default:
		return nil
	}
	if err != nil {
		return nil
	}
	plain, _ := io.ReadAll(io.LimitReader(reader, maxReplyRead))
	return plain
}

// decode puts text into UTF-8. A declared character set doesn't count for what is plain UTF-8 as it
// stands.
func decode(body []byte, contentType string) string {
	if utf8.Valid(body) && !bytes.ContainsFunc(body, isControl) {
		return string(body)
	}
	encoding, _, certain := charset.DetermineEncoding(body, contentType)
	if !certain && utf8.Valid(body) {
		return string(body)
	}
	if _, declared, _ := mime.ParseMediaType(contentType); !certain && declared["charset"] == "" && !isHTML(contentType, string(body)) {
		return strings.ToValidUTF8(string(body), "�")
	}
	text, err := encoding.NewDecoder().Bytes(body)
	if err != nil {
		text = body
	}
	return strings.ToValidUTF8(string(text), "�")
}

// isControl is whether a rune controls something besides lines and columns.
func isControl(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t'
}

// harmless leaves out what no reader sees, but terminals and programs act on: control characters,
// NUL among them, and those that direct the writing.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) || r == '\r' || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return -1
		}
		return r
	}, text)
}

func isHTML(contentType, text string) bool {
	media, _, _ := mime.ParseMediaType(contentType)
	if media == "" {
		media, _, _ = mime.ParseMediaType(http.DetectContentType([]byte(text)))
	}
	return media == "text/html" || media == "application/xhtml+xml"
}

// words are what a reader sees of a page.
func words(page string) string {
	var (
		text    strings.Builder
		skipped atom.Atom // the element whose content is left out
	)
	tokens := xhtml.NewTokenizer(strings.NewReader(page))
	for {
		switch kind := tokens.Next(); kind {
		case xhtml.ErrorToken:
			lines := strings.Split(text.String(), "\n")
			for i, line := range lines {
				lines[i] = strings.Join(strings.Fields(line), " ")
			}
			lines = slices.DeleteFunc(lines, func(line string) bool { return line == "" })
			return strings.Join(lines, "\n")
		case xhtml.TextToken:
			if skipped == 0 {
				// A line break within a paragraph is a blank.
				text.WriteString(strings.ReplaceAll(string(tokens.Text()), "\n", " "))
			}
		case xhtml.StartTagToken, xhtml.EndTagToken, xhtml.SelfClosingTagToken:
			name, _ := tokens.TagName()
			tag := atom.Lookup(name)
			switch tag {
			case atom.Script, atom.Style, atom.Template, atom.Svg, atom.Noscript, atom.Noframes, atom.Iframe:
				switch {
				case kind == xhtml.StartTagToken && skipped == 0:
					skipped = tag
				case kind == xhtml.EndTagToken && skipped == tag:
					skipped = 0
				}
			case atom.A, atom.B, atom.I, atom.Em, atom.Strong, atom.Span, atom.Code, atom.Small, atom.U, atom.S, atom.Font, atom.Tt, atom.Wbr, atom.Mark, atom.Abbr, atom.Kbd, atom.Samp, atom.Sub, atom.Sup, atom.Var:
				// Within a line.
			case atom.Td, atom.Th:
				text.WriteByte(' ')
			default:
				text.WriteByte('\n')
			}
		case xhtml.CommentToken, xhtml.DoctypeToken:
		}
	}
}

// public are the headers of a delivery that hold no secret, in lower case.
var public = map[string]bool{
	"content-type": true, "user-agent": true, "x-gitbook-signature": true, "webhook-id": true, "webhook-timestamp": true, "webhook-signature": true,
	"courier-attempt": true, "x-gitbook-request-method": true,
}

// sent are the secrets that a request showed to its destination, and those that sign, the longer
// ones before those that are parts of them.
func (t Target) sent(header http.Header) []string {
	all := slices.Clone(t.Secrets)
	add := func(name, value string) {
		all = append(all, value)
		// Some logs show the part of an Authorization after its scheme alone, and the value of a
		// cookie alone.
		all = append(all, strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ';' || r == ',' })...)
		if strings.EqualFold(name, "Cookie") {
			for _, cookie := range strings.Split(value, ";") {
				_, value, _ := strings.Cut(cookie, "=")
				all = append(all, value)
			}
		}
		if scheme, credentials, ok := strings.Cut(value, " "); ok && strings.EqualFold(scheme, "Basic") {
			if plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(credentials)); err == nil {
				_, password, _ := strings.Cut(string(plain), ":")
				all = append(all, string(plain), password)
			}
		}
	}
	for name, value := range t.Headers {
		add(name, value)
	}
	for name, values := range header {
		if _, own := t.Headers[name]; public[strings.ToLower(name)] || own {
			continue
		}
		for _, value := range values {
			add(name, value)
		}
	}
	if u, err := parseURL(t.URL); err == nil {
		all = append(all, u.RawQuery)
		for _, values := range u.Query() {
			all = append(all, values...)
		}
		all = append(all, strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == '=' })...)
	}
	for _, secret := range slices.Clone(all) {
		if len(secret) >= minConcealed {
			all = append(all, base64.RawStdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)))
		}
	}
	all = slices.DeleteFunc(all, func(secret string) bool { return len(secret) < minConcealed })
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// maxEscaped is the length of the longest escape of a byte.
const maxEscaped = 6

// conceal replaces a secret, also where it stands escaped.
func conceal(text, secret string) string {
	// No escape touches letters and digits, so what has not the longest run of them has not the
	// secret.
	var longest string
	for run := range strings.FieldsFuncSeq(secret, func(r rune) bool { return !isPlain(r) }) {
		if len(run) > len(longest) {
			longest = run
		}
	}
	if len(text) < len(secret) || !strings.Contains(text, longest) {
		return text
	}
	return escaped(secret).ReplaceAllLiteralString(text, concealed)
}

// isPlain is whether a rune is never escaped.
func isPlain(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// escaped matches a secret as it was sent, and as programs write it into URLs, JSON and HTML.
func escaped(secret string) *regexp.Regexp {
	var pattern strings.Builder
	for _, r := range secret {
		literal := regexp.QuoteMeta(string(r))
		if isPlain(r) {
			pattern.WriteString(literal)
			continue
		}
		fmt.Fprintf(&pattern, `(?:%s|%s|(?i:\\u%04x|&#0*%d;|&#x0*%x;)`, literal, regexp.QuoteMeta(html.EscapeString(string(r))), r, r, r)
		fmt.Fprintf(&pattern, `|(?i:%s)|\\%s`, regexp.QuoteMeta(percent(string(r))), literal)
		if r == ' ' {
			pattern.WriteString(`|\+`)
		}
		if r == '"' {
			pattern.WriteString(`|&quot;`)
		}
		pattern.WriteString(")")
	}
	return regexp.MustCompile(pattern.String())
}

// percent percent-encodes every byte.
func percent(text string) string {
	var encoded strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&encoded, "%%%02X", text[i])
	}
	return encoded.String()
}
