package gitbook

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"strconv"
	"strings"
)

const (
	// maxBoundaryLength is the bound of RFC 2046, section 5.1.1, in bytes.
	maxBoundaryLength = 70

	// maxParts bounds the parts of a runtime request; GitBook sends two or three.
	maxParts = 16

	// maxPartHeaderBytes bounds the headers of one part, which mime/multipart itself bounds at 10
	// MiB and holds in several times their size. A form's part has some 60 bytes of them.
	maxPartHeaderBytes = 8 << 10
)

var (
	// ErrMediaType means that a runtime request is not multipart/form-data.
	ErrMediaType = errors.New("the content type is not multipart/form-data")

	// ErrMultipart means that the body of a runtime request is broken. Its text shows nothing of
	// the body, which carries secrets.
	ErrMultipart = errors.New("the multipart body is broken")

	errMissing = errors.New("is missing; send it as a multipart field")

	errPartHeader = fmt.Errorf("%w: the headers of a part are larger than %d bytes", ErrMultipart, maxPartHeaderBytes)
)

// RuntimeRequest is the request that GitBook's runtime sends to an integration.
type RuntimeRequest struct {
	Event       Event
	Environment Environment
	// FetchBody is the body of the request that a fetch event is about, byte for byte; empty when
	// there is none.
	FetchBody []byte
}

// ParseRuntimeRequest reads a runtime request with the given Content-Type header: a multipart form
// whose fields event and environment are JSON, and fetch-body any bytes. All other fields pass
// through unread. Of two fields of one name the first counts, as in JavaScript's FormData.get. The
// body is read up to its closing boundary, so one that was cut off is an error even when both
// fields are complete. A form of more than 16 parts, or with more than 8 KiB of headers in one, is
// refused. How much is read in all is for the caller to limit, best with http.MaxBytesReader.
//
// The error is ErrMediaType; or that of the body's reader when it is an *http.MaxBytesError or
// os.ErrDeadlineExceeded; or ErrMultipart, for anything else that keeps the form from being read;
// or a *FieldError for "event", "environment" or a member of the event.
func ParseRuntimeRequest(contentType string, body io.Reader) (RuntimeRequest, error) {
	boundary, err := formBoundary(contentType)
	if err != nil {
		return RuntimeRequest{}, err
	}
	fields, err := readForm(body, boundary)
	if err != nil {
		return RuntimeRequest{}, err
	}
	event, environment := fields["event"], fields["environment"]
	if event == nil {
		return RuntimeRequest{}, &FieldError{Field: "event", Err: errMissing}
	}
	if environment == nil {
		return RuntimeRequest{}, &FieldError{Field: "environment", Err: errMissing}
	}
	request := RuntimeRequest{FetchBody: fields["fetch-body"]}
	if request.Event, err = ParseEvent(event); err != nil {
		return RuntimeRequest{}, err
	}
	if request.Environment, err = ParseEnvironment(environment); err != nil {
		return RuntimeRequest{}, err
	}
	return request, nil
}

func formBoundary(contentType string) (string, error) {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if mediaType != "multipart/form-data" {
		return "", ErrMediaType
	}
	if boundary := params["boundary"]; err == nil && boundary != "" && len(boundary) <= maxBoundaryLength {
		return boundary, nil
	}
	return "", fmt.Errorf("%w: its content type has no boundary of 1 to %d characters", ErrMultipart, maxBoundaryLength)
}

// readForm returns the fields that are read, nil where the form has none.
func readForm(body io.Reader, boundary string) (fields map[string][]byte, err error) {
	// The multipart reader says io.EOF not only after the closing boundary but also when the body
	// ends inside the headers of a part. With an end that is never a plain io.EOF, only the closing
	// boundary is left to say so. The line break before it is for senders that put none after the
	// closing boundary.
	source := &formSource{body: io.MultiReader(body, strings.NewReader("\r\n"), cutOff{})}
	form := multipart.NewReader(source, boundary)
	fields = make(map[string][]byte, 3)
	for parts := 0; ; parts++ {
		// A raw part is not decoded from quoted-printable: the bytes are to stay as they are.
		source.limited, source.left = true, maxPartHeaderBytes
		part, err := form.NextRawPart()
		source.limited = false
		if err == io.EOF { //nolint:errorlint // A wrapped io.EOF is not the closing boundary.
			return fields, nil
		}
		if err != nil {
			return nil, formError(err, source.err)
		}
		if parts == maxParts {
			return nil, fmt.Errorf("%w: it has more than %d parts", ErrMultipart, maxParts)
		}
		name := part.FormName()
		if _, again := fields[name]; again || name != "event" && name != "environment" && name != "fetch-body" {
			_, err = io.Copy(io.Discard, part)
		} else {
			fields[name], err = io.ReadAll(part)
		}
		if err != nil {
			return nil, formError(err, source.err)
		}
	}
}

// cutOff is the end of a body.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// formSource is what a form is read from. While it is limited, which it is between the bodies of
// two parts, it gives left bytes more; what the multipart reader has buffered before comes on top,
// up to 4 KiB.
//
// It remembers its error, which mime/multipart replaces with its own when the body breaks off
// inside the headers of a part.
type formSource struct {
	body    io.Reader
	limited bool
	left    int
	err     error
}

func (s *formSource) Read(p []byte) (n int, err error) {
	if s.limited {
		p = p[:min(len(p), s.left)]
	}
	if s.limited && s.left == 0 {
		err = errPartHeader
	} else {
		n, err = s.body.Read(p)
	}
	s.left -= n
	if err != nil {
		s.err = err
	}
	return n, err
}

// formError drops the text of mime/multipart, which quotes lines of the body.
func formError(err, sourceErr error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(sourceErr, &tooLarge) {
		return tooLarge
	}
	switch {
	case errors.Is(sourceErr, os.ErrDeadlineExceeded):
		return os.ErrDeadlineExceeded
	case errors.Is(sourceErr, errPartHeader):
		return errPartHeader
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends before its closing boundary", ErrMultipart)
	default:
		return ErrMultipart
	}
}

// UnhandledAnswer returns the status and the message with which GitBook's runtime answers an event
// that the integration has no handler for. The runtime sends the message as {"error": …}.
func UnhandledAnswer(e Event) (status int, message string) {
	switch e.Type {
	case EventFetch:
		return http.StatusBadRequest, "Integration does not handle HTTP requests"
	case "task":
		return http.StatusBadRequest, "Integration does not handle tasks"
	case "fetch_published_script", "fetch_visitor_authentication":
		return http.StatusBadRequest, "Integration does not handle " + e.Type
	case EventUIRender:
		return http.StatusNotFound, "Component " + e.idText("componentId") + " not found"
	}
	if strings.HasPrefix(e.Type, "content_compute_") {
		return http.StatusNotFound, "Content source " + e.idText("sourceId") + " not found"
	}
	return http.StatusNotAcceptable, `Integration does not handle "` + e.Type + `" events`
}

// idText is a member as JavaScript would print it, "undefined" when the event has none.
func (e Event) idText(name string) string {
	raw, _ := e.Field(name)
	return JavaScriptText(raw)
}

// JavaScriptText is a JSON value in the words in which GitBook's runtime, which is written in
// JavaScript, puts it into a text: a string without quotation marks, "undefined" for nil,
// "[object Object]" for an object.
func JavaScriptText(raw json.RawMessage) string {
	if raw == nil {
		return "undefined"
	}
	var value any
	if json.Unmarshal(raw, &value) != nil {
		return ""
	}
	return javaScriptText(value)
}

func javaScriptText(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case float64:
		return javaScriptNumber(v)
	case []any:
		texts := make([]string, len(v))
		for i, element := range v {
			if element != nil { // An array prints null as nothing.
				texts[i] = javaScriptText(element)
			}
		}
		return strings.Join(texts, ",")
	default:
		return "[object Object]"
	}
}

// javaScriptNumber is a number without an exponent up to 1e21, as ECMAScript has it.
func javaScriptNumber(v float64) string {
	if size := math.Abs(v); v == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.FormatFloat(v+0, 'f', -1, 64)
	}
	text := strconv.FormatFloat(v, 'e', -1, 64)
	// Go writes two digits at least: 1e-07.
	return strings.NewReplacer("e-0", "e-", "e+0", "e+").Replace(text)
}
