package cli

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gitbook-courier/courier/gitbook"
)

// verdict is what a look at a webhook has found.
type verdict struct {
	// Genuine is whether GitBook's signature verifies, or, without one, that of Standard Webhooks.
	Genuine bool `json:"genuine"`
	// Findings are sentences that say why, and what to do.
	Findings []string `json:"findings"`
}

func (v *verdict) find(format string, args ...any) {
	v.Findings = append(v.Findings, fmt.Sprintf(format, args...))
}

// diagnose says whether a webhook is genuine and, if not, which of the usual mistakes was made: it
// tries what each of them would have signed.
func diagnose(r received, secrets []string, now time.Time, tolerance time.Duration) (v verdict) {
	header := strings.Join(r.header.Values(gitbook.SignatureHeader), ",")
	if header == "" {
		diagnoseStandard(&v, r, secrets, now, tolerance)
		return v
	}
	verify := func(body []byte, secrets []string) error {
		return gitbook.Verifier{Secrets: secrets, Tolerance: tolerance, Now: func() time.Time { return now }}.Verify(header, body)
	}
	err := verify(r.body, secrets)
	if errors.Is(err, gitbook.ErrSignatureMismatch) && r.dumped {
		// The tool that kept the request may have ended it with a line break.
		if cut, changed := bytes.CutSuffix(r.body, []byte("\n")); changed && !errors.Is(verify(cut, secrets), gitbook.ErrSignatureMismatch) {
			r.body, err = cut, verify(cut, secrets)
		}
	}
	switch {
	case err == nil:
		v.Genuine = true
		v.find("%s verifies: signed %s.", gitbook.SignatureHeader, relative(signedAt(header), now))
	case errors.Is(err, gitbook.ErrTimestampTooOld), errors.Is(err, gitbook.ErrTimestampTooNew):
		v.find("The secret and the body are right, but the request was signed %s, which is more than %s away.", relative(signedAt(header), now), tolerance)
		v.find("Either a clock is wrong (compare `date +%%s` with t in the header; run NTP), or this is an old request. Give --at to judge one as of when it came.")
	case errors.Is(err, gitbook.ErrSignatureMalformed):
		diagnoseForm(&v, header, r.body, secrets)
	default:
		diagnoseMismatch(&v, r, secrets, func(body []byte, secret string) bool {
			return !errors.Is(verify(body, []string{secret}), gitbook.ErrSignatureMismatch)
		})
	}
	return v
}

var digest = regexp.MustCompile(`[0-9a-fA-F]{64}`)

// diagnoseForm says what is wrong with a header that is not of GitBook's form.
func diagnoseForm(v *verdict, header string, body []byte, secrets []string) {
	v.find("%s is not of the form t=<unix seconds>,v1=<64 hex digits>.", gitbook.SignatureHeader)
	hasTime, hasV1 := false, false
	for element := range strings.SplitSeq(header, ",") {
		name, _, _ := strings.Cut(strings.TrimSpace(element), "=")
		hasTime, hasV1 = hasTime || name == "t", hasV1 || name == "v1"
	}
	found := digest.FindString(header)
	switch {
	case found != "" && !hasTime && signsBodyAlone(found, body, secrets):
		v.find("This is the obsolete form: a digest of the body alone, without a time. It is genuine, but a recorded request could be sent again for ever. Have the sender send t and v1.")
	case found != "" && !hasTime:
		v.find("It looks like the obsolete form, a digest without a time, which is not accepted any more.")
	case !hasTime:
		v.find("It has no t, the time of the signature. A proxy may have cut it, or only a part of the header was taken.")
	case !hasV1:
		v.find("It has no v1. A proxy may have cut it at the comma, or only a part of the header was taken.")
	default:
		v.find("Its t must stand there once, in decimal digits, and a v1 must have exactly 64 hex digits.")
	}
}

func signsBodyAlone(found string, body []byte, secrets []string) bool {
	want, err := hex.DecodeString(found)
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(body)
		if err == nil && hmac.Equal(want, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

// diagnoseMismatch looks for the change of the body or of the secret that explains a signature.
func diagnoseMismatch(v *verdict, r received, secrets []string, signed func(body []byte, secret string) bool) {
	if n := r.length(); n >= 0 && n != len(r.body) {
		v.find("The body has %d bytes, but Content-Length says %d: it was changed or cut on its way to this tool, so nothing can verify.", len(r.body), n)
	}
	for _, other := range bodies(r.body) {
		for _, secret := range secrets {
			if signed(other.body, secret) {
				v.find("The secret is right, and the body was changed: the signature is that of %s. Verify the bytes as they came, before anything parses them.", other.name)
				return
			}
		}
	}
	for _, secret := range secrets {
		for _, other := range keys(secret) {
			if signed(r.body, other.key) {
				v.find("The body is right, and the secret is not quite: the sender signs with %s.", other.name)
				return
			}
		}
	}
	v.find("%s is of the right form and matches neither the body under your secret nor any of the usual mistakes.", gitbook.SignatureHeader)
	v.find("Most likely the secret is another one: compare it with the destination's in courier.yaml, or with the one in GitBook's settings. " +
		"Otherwise the body was changed in a way that this tool does not know, or the header is that of another request.")
}

type variant struct {
	name string
	body []byte
	key  string
}

// bodies are what the body may have been before frameworks, editors and loggers changed it.
func bodies(body []byte) (all []variant) {
	add := func(name string, other []byte) { all = append(all, variant{name: name, body: other}) }
	add("the body without the line break at its end", bytes.TrimRight(body, "\r\n"))
	add("the body with a line break at its end", append(bytes.Clone(body), '\n'))
	add("the body with \\r\\n instead of \\n", bytes.ReplaceAll(body, []byte("\n"), []byte("\r\n")))
	add("the body with \\n instead of \\r\\n", bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n")))
	add("the body without a byte order mark", bytes.TrimPrefix(body, []byte("\ufeff")))
	var compact bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return all
	}
	add("the JSON without blanks", compact.Bytes())
	add("the JSON without blanks, with <, > and & escaped", escapeHTML(compact.Bytes()))
	add("the JSON without blanks, with characters as they are instead of \\u escapes", unescaped(compact.Bytes()))
	add("the JSON without blanks, with a line break at its end", append(bytes.Clone(compact.Bytes()), '\n'))
	add("the JSON with blanks after commas and colons, as Python writes it", spaced(compact.Bytes()))
	for _, indent := range []string{"  ", "    ", "\t"} {
		var b bytes.Buffer
		_ = json.Indent(&b, body, "", indent) // it is JSON
		add(fmt.Sprintf("the JSON indented by %q", indent), b.Bytes())
	}
	return all
}

func escapeHTML(compact []byte) []byte {
	var b bytes.Buffer
	json.HTMLEscape(&b, compact)
	return b.Bytes()
}

// unescaped has the characters of strings as they are, where they stood as \\u escapes: JavaScript
// writes them so, Python and Go's default do not.
func unescaped(compact []byte) []byte {
	return stringLiteral.ReplaceAllFunc(compact, func(literal []byte) []byte {
		var text string
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if json.Unmarshal(literal, &text) != nil || encoder.Encode(text) != nil {
			return literal
		}
		return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	})
}

var stringLiteral = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)

// spaced puts a blank after the commas and colons of compact JSON that stand in no string.
func spaced(compact []byte) []byte {
	var b bytes.Buffer
	inString, escaped := false, false
	for _, c := range compact {
		b.WriteByte(c)
		switch {
		case escaped:
			escaped = false
		case inString && c == '\\':
			escaped = true
		case c == '"':
			inString = !inString
		case !inString && (c == ',' || c == ':'):
			b.WriteByte(' ')
		}
	}
	return b.Bytes()
}

// keys are what the sender's secret may be, when yours is not quite it.
func keys(secret string) (all []variant) {
	add := func(name, key string) {
		if key != secret && key != "" {
			all = append(all, variant{name: name, key: key})
		}
	}
	add("the secret without blanks and line breaks around it", strings.TrimSpace(secret))
	add("the secret with a line break at its end", secret+"\n")
	add("the secret without quotes around it", strings.Trim(secret, `"'`))
	add("the secret without whsec_", strings.TrimPrefix(secret, "whsec_"))
	for _, encoding := range []struct {
		name string
		*base64.Encoding
	}{{"base64", base64.StdEncoding}, {"base64url", base64.RawURLEncoding}} {
		add("the "+encoding.name+" of the secret, not with its text", encoding.EncodeToString([]byte(secret)))
		if decoded, err := encoding.DecodeString(strings.TrimPrefix(secret, "whsec_")); err == nil {
			add("the bytes that the secret has when decoded from "+encoding.name, string(decoded))
		}
	}
	if decoded, err := hex.DecodeString(secret); err == nil {
		add("the bytes that the secret has when decoded from hex", string(decoded))
	}
	return all
}

// diagnoseStandard looks at a webhook without GitBook's header.
func diagnoseStandard(v *verdict, r received, secrets []string, now time.Time, tolerance time.Duration) {
	id, timestamp := r.header.Get(gitbook.WebhookIDHeader), r.header.Get(gitbook.WebhookTimestampHeader)
	signature := r.header.Get(gitbook.WebhookSignatureHeader)
	v.find("%s is missing: the request does not come from Courier or GitBook, or a proxy has removed it.", gitbook.SignatureHeader)
	seconds, err := strconv.ParseInt(timestamp, 10, 40)
	if id == "" || signature == "" || err != nil {
		return
	}
	sentAt := time.Unix(seconds, 0)
	for given := range strings.SplitSeq(signature, " ") {
		for _, secret := range secrets {
			if !hmac.Equal([]byte(given), []byte(gitbook.SignStandard(id, sentAt, r.body, secret))) {
				continue
			}
			v.Genuine = now.Sub(sentAt).Abs() <= tolerance
			v.find("%s verifies: signed %s.", gitbook.WebhookSignatureHeader, relative(sentAt, now))
			if !v.Genuine {
				v.find("That is more than %s away: a clock is wrong, or this is an old request.", tolerance)
			}
			return
		}
	}
	v.find("%s does not match either.", gitbook.WebhookSignatureHeader)
}

// signedAt is the time in a header that is well formed.
func signedAt(header string) time.Time {
	for element := range strings.SplitSeq(header, ",") {
		if digits, ok := strings.CutPrefix(strings.Trim(element, " \t"), "t="); ok {
			seconds, _ := strconv.ParseInt(digits, 10, 64)
			return time.Unix(seconds, 0)
		}
	}
	return time.Time{}
}

// relative says when t was, as seen from now.
func relative(t, now time.Time) string {
	d := now.Sub(t).Round(time.Second)
	at := t.UTC().Format(time.RFC3339)
	switch {
	case d < 0:
		return fmt.Sprintf("at %s, %s in the future", at, -d)
	case d == 0:
		return "just now"
	default:
		return fmt.Sprintf("at %s, %s ago", at, d)
	}
}
