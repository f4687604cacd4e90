package gitbook

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// Headers of a delivery besides SignatureHeader. The first three are those of the Standard Webhooks
// specification.
const (
	// WebhookIDHeader carries the event's id, the same in every attempt and redelivery. Receivers
	// drop duplicates by it.
	WebhookIDHeader = "webhook-id"

	// WebhookTimestampHeader carries the time of the attempt, in unix seconds.
	WebhookTimestampHeader = "webhook-timestamp"

	// WebhookSignatureHeader carries the signature that SignStandard returns.
	WebhookSignatureHeader = "webhook-signature"

	// AttemptHeader carries the number of the attempt, from 1, and from 1 again in a redelivery.
	AttemptHeader = "Courier-Attempt"
)

// SignStandard returns the value of WebhookSignatureHeader for an event sent at t: "v1,<base64>"
// for each secret, in the order given, with a space between. Each is the HMAC-SHA256 of the id, the
// time and the body with dots between, under the secret's raw bytes. The libraries of Standard
// Webhooks take the key in base64, so a receiver gives them the base64 of the secret's bytes.
//
// HTTP drops the blanks around a header's value, so the receiver learns the id without them, and so
// it is signed.
func SignStandard(id string, t time.Time, body []byte, secrets ...string) string {
	prefix := strings.Trim(id, " \t") + "." + strconv.FormatInt(t.Unix(), 10) + "."
	var header []byte
	for i, secret := range secrets {
		if i > 0 {
			header = append(header, ' ')
		}
		header = append(header, "v1,"...)
		mac := computeMAC(secret, prefix, body)
		header = base64.StdEncoding.AppendEncode(header, mac[:])
	}
	return string(header)
}
