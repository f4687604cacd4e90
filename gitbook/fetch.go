package gitbook

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
)

// FetchRequest is the HTTP request that an outside service made to the integration's public
// address: the member request of a fetch event, of the schema FetchRequest in @gitbook/api. Its body
// travels beside the event, as the field fetch-body of the runtime request.
//
// It may hold credentials: it prints as redacted.
type FetchRequest struct {
	// Method is the request's method, as GitBook writes it; empty when the event does not say.
	Method string
	// URL is the address that was called, of visible ASCII characters; empty when the event does not
	// say.
	URL string
	// Header are the request's end-to-end headers, by their canonical names. Those of one connection
	// are left out, and so are Host, Content-Length and Accept-Encoding, names that begin with
	// x-gitbook-, webhook- or courier-, and what is no header by RFC 9110.
	Header http.Header
}

// String hides the request.
func (FetchRequest) String() string { return "FetchRequest[redacted]" }

// GoString hides the request.
func (r FetchRequest) GoString() string { return r.String() }

// hopByHop are the headers of one connection (RFC 9110, section 7.6.1), and those that belong to
// the request that brought them.
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Host", "Content-Length", "Accept-Encoding",
}

// ownHeaders begin the names of headers that a delivery has of its own.
var ownHeaders = []string{"x-gitbook-", "webhook-", "courier-"}

// FetchRequest returns the request that a fetch event is about. The error is a *FieldError for
// "event.request" when that is not an object.
func (e Event) FetchRequest() (FetchRequest, error) {
	raw, _ := e.Field("request")
	if !startsObject(raw) {
		return FetchRequest{}, &FieldError{Field: "event.request", Err: errNotObject}
	}
	return parseFetchRequest(raw), nil
}

// parseFetchRequest reads a JSON object as a request. A member of the wrong kind counts as missing.
func parseFetchRequest(raw []byte) FetchRequest {
	request := FetchRequest{Method: headerText(stringAt(raw, "method")), URL: visible(stringAt(raw, "url")), Header: make(http.Header)}
	headers, _ := lookup(raw, "headers")
	for name, value := range members(headers) {
		text := JavaScriptText(value)
		if canonical := textproto.CanonicalMIMEHeaderKey(string(name)); isHeaderName(canonical) && headerText(text) == text {
			request.Header.Add(canonical, strings.Trim(text, " \t"))
		}
	}
	drop := slices.Clone(hopByHop)
	for _, named := range request.Header["Connection"] {
		for option := range strings.SplitSeq(named, ",") {
			drop = append(drop, textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(option)))
		}
	}
	for name, values := range request.Header {
		own := func(prefix string) bool { return strings.HasPrefix(strings.ToLower(name), prefix) }
		if slices.Contains(drop, name) || slices.ContainsFunc(ownHeaders, own) {
			delete(request.Header, name)
			continue
		}
		// As JavaScript joins names that differ in their case alone.
		request.Header[name] = []string{strings.Join(values, ", ")}
	}
	return request
}

// isHeaderName reports whether a name is a token (RFC 9110, section 5.6.2).
func isHeaderName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

// headerText is a text without the characters that would end a header.
func headerText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// visible is a URL whose other bytes than visible ASCII are escaped.
func visible(text string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		}
	}
	return b.String()
}

// MarshalJSON implements json.Marshaler: it leaves everything out, so that nothing stores the
// request unsealed by mistake.
func (FetchRequest) MarshalJSON() ([]byte, error) {
	return nil, errors.New("a fetch request is sealed, not stored")
}

// UnmarshalJSON implements json.Unmarshaler: it reads the member request of a fetch event.
func (r *FetchRequest) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if !isObject(data) {
		return errNotObject
	}
	*r = parseFetchRequest(data)
	return nil
}

var (
	_ json.Marshaler   = FetchRequest{}
	_ json.Unmarshaler = (*FetchRequest)(nil)
)
