package activities

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// addressError refuses a URL before anything is dialled.
type addressError struct{ reason string }

func (e *addressError) Error() string { return e.reason }

// parseURL reads the URL of a webhook as browsers do (https://url.spec.whatwg.org): blanks around
// it do not count, what cannot stand in a request line is percent-encoded, and an international
// host is put into its ASCII form. It refuses addresses that Courier never sends to.
func parseURL(raw string) (*url.URL, error) {
	if strings.ContainsFunc(raw, unicode.IsControl) {
		return nil, &addressError{"the webhook URL is not a URL"}
	}
	u, err := url.Parse(encodeURL(strings.Trim(raw, " ")))
	switch {
	case err != nil:
		return nil, &addressError{"the webhook URL is not a URL"}
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, &addressError{"the webhook URL must begin with http:// or https://"}
	case u.Hostname() == "":
		return nil, &addressError{"the webhook URL has no host"}
	case u.User != nil:
		return nil, &addressError{"the webhook URL must not contain credentials"}
	}
	u.Fragment, u.RawFragment = "", ""
	if host := u.Hostname(); strings.ContainsFunc(host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		ascii, err := idna.Lookup.ToASCII(host)
		if err != nil || strings.ContainsAny(ascii, ":/?#@[]% ") {
			return nil, &addressError{"the host of the webhook URL is no domain name"}
		}
		port := u.Port()
		u.Host = ascii
		if port != "" {
			u.Host += ":" + port
		}
	}
	return u, nil
}

// encodeURL percent-encodes what cannot stand in the path and query of a URL. What is encoded
// already stays so.
func encodeURL(raw string) string {
	const (
		inQuery = ` "<>'`
		inPath  = " \"<>`{}^|\\"
	)
	_, rest, ok := strings.Cut(raw, "://")
	start := strings.IndexAny(rest, "/?#")
	if !ok || start < 0 {
		return raw
	}
	start += len(raw) - len(rest)
	var encoded strings.Builder
	encoded.WriteString(raw[:start])
	unsafe := inPath
	for i := start; i < len(raw); i++ {
		c := raw[i]
		switch c {
		case '#':
			return encoded.String() // the fragment is never sent
		case '?':
			unsafe = inQuery
		}
		if c >= utf8.RuneSelf || strings.IndexByte(unsafe, c) >= 0 {
			const hex = "0123456789ABCDEF"
			encoded.Write([]byte{'%', hex[c>>4], hex[c&15]})
			continue
		}
		encoded.WriteByte(c)
	}
	return encoded.String()
}
