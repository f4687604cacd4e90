package gitbook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"iter"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header of a delivery that carries GitBook's signature, as Sign returns it.
const SignatureHeader = "X-GitBook-Signature"

// DefaultTolerance is how far a signature's time may be from the receiver's clock, in the past or
// ahead.
const DefaultTolerance = 5 * time.Minute

// timestampBits bounds the time of a signature: 40 bits of seconds reach the year 36812, and
// differences of such times are safe to compute.
const timestampBits = 40

// Errors of a signature.
var (
	// ErrNoSecret means that the Verifier has no secret to verify with, or only empty ones: an
	// error of the receiver, not of the sender.
	ErrNoSecret = errors.New("the verifier has no secret")

	// ErrSignatureMissing means that the header is absent or empty.
	ErrSignatureMissing = errors.New("the signature is missing; send it in " + SignatureHeader)

	// ErrSignatureMalformed means that the header is not of the form t=<unix seconds>,v1=<hex>.
	ErrSignatureMalformed = errors.New("the signature is not of the form t=<unix seconds>,v1=<64 hex digits>")

	// ErrSignatureMismatch means that no signature of the header belongs to the body and to any of
	// the secrets.
	ErrSignatureMismatch = errors.New("the signature does not match")

	// ErrTimestampTooOld means that a genuine signature is older than the tolerance.
	ErrTimestampTooOld = errors.New("the signature is too old")

	// ErrTimestampTooNew means that a genuine signature is further ahead of the clock than the
	// tolerance.
	ErrTimestampTooNew = errors.New("the signature's time is in the future")
)

// Sign returns the value of SignatureHeader for a body sent at t: "t=<unix seconds>,v1=<hex>", with
// a v1 for each secret in the order given. Each is the HMAC-SHA256 of the time, a dot and the body,
// under the secret's raw bytes.
//
// While secrets rotate, give the newest first: GitBook's sample verifier keeps the last v1 of the
// header, and the receivers that have not changed yet know the oldest secret.
func Sign(t time.Time, body []byte, secrets ...string) string {
	timestamp := strconv.FormatInt(t.Unix(), 10)
	header := append([]byte("t="), timestamp...)
	for _, secret := range secrets {
		header = append(header, ",v1="...)
		mac := computeMAC(secret, timestamp+".", body)
		header = hex.AppendEncode(header, mac[:])
	}
	return string(header)
}

// computeMAC hashes prefix and body one after the other, so that the body is not copied.
func computeMAC(secret, prefix string, body []byte) (mac [sha256.Size]byte) {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write([]byte(prefix))
	h.Write(body)
	h.Sum(mac[:0])
	return mac
}

// Verifier verifies the signatures of deliveries. It may be used by several goroutines at once.
type Verifier struct {
	// Secrets are the webhook's secrets; any of them may have signed. While a secret is being
	// replaced, give the old one and the new one. Empty ones are passed over.
	Secrets []string

	// Tolerance is how far a signature's time may be from Now, in either direction; exactly as far
	// is still accepted. Zero means DefaultTolerance. A negative value accepts any time, which
	// suits bodies verified again from storage and nothing that comes from the network: whoever
	// recorded a delivery could send it again for ever.
	Tolerance time.Duration

	// MaxBodyBytes limits the bodies that Handler reads. Zero or less means DefaultMaxBodyBytes.
	MaxBodyBytes int64

	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Verify reports whether header, a value of SignatureHeader, signs body: nil, or one of
// ErrNoSecret, ErrSignatureMissing, ErrSignatureMalformed, ErrSignatureMismatch, ErrTimestampTooOld
// and ErrTimestampTooNew.
//
// The body must be the bytes as they were received; JSON that was decoded and encoded again does
// not verify. Any v1 of the header may match any secret. What the header has besides t and v1 is
// passed over, so that GitBook may add schemes. The time is judged last: ErrTimestampTooOld and
// ErrTimestampTooNew are said of genuine signatures only.
func (v Verifier) Verify(header string, body []byte) error {
	if !v.hasSecret() {
		return ErrNoSecret
	}
	if strings.TrimSpace(header) == "" {
		return ErrSignatureMissing
	}
	timestamp, sentAt, ok := parseSignature(header)
	if !ok {
		return ErrSignatureMalformed
	}
	if !v.matches(header, timestamp, body) {
		return ErrSignatureMismatch
	}
	return v.checkTime(sentAt)
}

func (v Verifier) hasSecret() bool {
	for _, secret := range v.Secrets {
		if secret != "" {
			return true
		}
	}
	return false
}

// matches compares every signature with every secret's, each in constant time.
func (v Verifier) matches(header, timestamp string, body []byte) bool {
	matched := false
	for _, secret := range v.Secrets {
		if secret == "" {
			continue
		}
		want := computeMAC(secret, timestamp+".", body)
		for name, value := range elements(header) {
			if name != "v1" {
				continue
			}
			if got, ok := decodeMAC(value); ok && hmac.Equal(got[:], want[:]) {
				matched = true
			}
		}
	}
	return matched
}

func (v Verifier) checkTime(sentAt time.Time) error {
	tolerance := v.Tolerance
	if tolerance < 0 {
		return nil
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	now := time.Now
	if v.Now != nil {
		now = v.Now
	}
	switch age := now().Sub(sentAt); {
	case age > tolerance:
		return ErrTimestampTooOld
	case age < -tolerance:
		return ErrTimestampTooNew
	default:
		return nil
	}
}

// parseSignature returns the time of a header, as text exactly as it was sent, because that is what
// was signed. It returns false without exactly one t in decimal digits, or without a v1 of 64 hex
// digits.
func parseSignature(header string) (timestamp string, sentAt time.Time, ok bool) {
	timestamps, signatures := 0, 0
	for name, value := range elements(header) {
		switch name {
		case "t":
			timestamps++
			timestamp = value
		case "v1":
			if _, valid := decodeMAC(value); valid {
				signatures++
			}
		}
	}
	// Unlike ParseInt, ParseUint takes no sign.
	seconds, err := strconv.ParseUint(timestamp, 10, timestampBits)
	if timestamps != 1 || signatures == 0 || err != nil {
		return "", time.Time{}, false
	}
	return timestamp, time.Unix(int64(seconds), 0), true
}

// elements yields the names and values of a header's comma-separated elements. One without a value
// is passed over.
func elements(header string) iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for element := range strings.SplitSeq(header, ",") {
			name, value, ok := strings.Cut(strings.Trim(element, " \t"), "=")
			if ok && !yield(name, value) {
				return
			}
		}
	}
}

func decodeMAC(digits string) (mac [sha256.Size]byte, ok bool) {
	if len(digits) != hex.EncodedLen(len(mac)) {
		return mac, false
	}
	_, err := hex.Decode(mac[:], []byte(digits))
	return mac, err == nil
}
