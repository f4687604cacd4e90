package cli

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

const original = `{"eventId":"evt_1","type":"site_view","url":"https://x/?a=1&b=<2>","word":"é"}`

func TestDiagnose(t *testing.T) {
	t.Parallel()
	signed := func(body, secret string, at time.Time) http.Header {
		return http.Header{"X-Gitbook-Signature": {gitbook.Sign(at, []byte(body), secret)}}
	}
	genuine := signed(original, "geheim", noon)
	bare := func(prefix, signed string) http.Header {
		mac := hmac.New(sha256.New, []byte("geheim"))
		mac.Write([]byte(signed))
		return http.Header{"X-Gitbook-Signature": {prefix + hex.EncodeToString(mac.Sum(nil))}}
	}
	standard := func(secret string, at time.Time) http.Header {
		return http.Header{
			"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {fmt.Sprint(at.Unix())},
			"Webhook-Signature": {"v1,AAAA " + gitbook.SignStandard("evt_1", at, []byte(original), secret)},
		}
	}
	longer := signed(original, "geheim", noon)
	longer.Set("Content-Length", "9999")
	tests := []struct {
		name    string
		header  http.Header
		body    string
		secrets string
		dumped  bool
		genuine bool
		want    []string
	}{
		{name: "genuine", header: genuine, genuine: true, want: []string{"verifies: signed just now"}},
		{name: "of the second secret", header: genuine, secrets: "other,geheim", genuine: true},
		{name: "a line break of the tool", header: genuine, body: original + "\n", dumped: true, genuine: true},
		{name: "a line break of the receiver", header: genuine, body: original + "\n", want: []string{"The secret is right, and the body was changed", "without the line break"}},
		{name: "indented", header: genuine, body: "{\n  \"eventId\": \"evt_1\",\n  \"type\": \"site_view\",\n  \"url\": \"https://x/?a=1&b=<2>\",\n  \"word\": \"é\"\n}", want: []string{"the JSON without blanks"}},
		{name: "escaped by Go", header: genuine, body: strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(original), want: []string{`characters as they are instead of \u escapes`}},
		{name: "escaped by Python", header: genuine, body: strings.ReplaceAll(strings.ReplaceAll(original, "é", `\u00e9`), `,"`, `, "`), want: []string{`characters as they are instead of \u escapes`}},
		{name: "a sender that escapes", header: signed(strings.NewReplacer("&", `\u0026`, "<", `\u003c`, ">", `\u003e`).Replace(original), "geheim", noon), want: []string{"with <, > and & escaped"}},
		{name: "a sender that writes blanks", header: signed(`{"a": 1, "b": ["x,y:z", 2]}`, "geheim", noon), body: `{"a":1,"b":["x,y:z",2]}`, want: []string{"as Python writes it"}},
		{name: "other line breaks", header: signed("{\r\n}", "geheim", noon), body: "{\n}", want: []string{`\r\n instead of \n`}},
		{name: "cut", header: longer, body: original[:40], want: []string{"has 40 bytes, but Content-Length says 9999"}},
		{name: "a secret with a line break", header: genuine, secrets: "geheim\n", want: []string{"without blanks and line breaks around it"}},
		{name: "a secret in quotes", header: genuine, secrets: `"geheim"`, want: []string{"without quotes"}},
		{name: "a secret with a prefix", header: genuine, secrets: "whsec_geheim", want: []string{"without whsec_"}},
		{name: "a secret in base64", header: genuine, secrets: base64.StdEncoding.EncodeToString([]byte("geheim")), want: []string{"decoded from base64"}},
		{name: "signed with the base64", header: signed(original, base64.StdEncoding.EncodeToString([]byte("geheim")), noon), want: []string{"the base64 of the secret"}},
		{name: "a secret in hex", header: genuine, secrets: hex.EncodeToString([]byte("geheim")), want: []string{"decoded from hex"}},
		{name: "another secret", header: genuine, secrets: "other", want: []string{"Most likely the secret is another one"}},
		{name: "old", header: signed(original, "geheim", noon.Add(-time.Hour)), want: []string{"1h0m0s ago", "a clock is wrong"}},
		{name: "ahead", header: signed(original, "geheim", noon.Add(time.Hour)), want: []string{"1h0m0s in the future", "a clock is wrong"}},
		{name: "obsolete", header: bare("sha256=", original), want: []string{"obsolete form: a digest of the body alone"}},
		{name: "obsolete, of another body", header: bare("", "x"), want: []string{"It looks like the obsolete form"}},
		{name: "no t", header: bare("v1=", "x"), want: []string{"It looks like the obsolete form"}},
		{name: "cut at the comma", header: http.Header{"X-Gitbook-Signature": {"t=1772625600"}}, want: []string{"It has no v1"}},
		{name: "v1 cut", header: http.Header{"X-Gitbook-Signature": {"t=1772625600,v1=abc"}}, want: []string{"exactly 64 hex digits"}},
		{name: "nothing", header: http.Header{"X-Gitbook-Signature": {"?"}}, want: []string{"It has no t"}},
		{name: "no header", header: http.Header{}, want: []string{"is missing"}},
		{name: "only Standard Webhooks", header: standard("geheim", noon), genuine: true, want: []string{"is missing", "webhook-signature verifies"}},
		{name: "only Standard Webhooks, old", header: standard("geheim", noon.Add(-time.Hour)), want: []string{"more than 5m0s away"}},
		{name: "only Standard Webhooks, another secret", header: standard("other", noon), want: []string{"does not match either"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			body, secrets := tt.body, tt.secrets
			if body == "" {
				body = original
			}
			if secrets == "" {
				secrets = "geheim"
			}
			v := diagnose(received{header: tt.header, body: []byte(body), dumped: tt.dumped}, strings.Split(secrets, ","), noon, gitbook.DefaultTolerance)
			require.Equal(t, tt.genuine, v.Genuine, v.Findings)
			all := strings.Join(v.Findings, "\n")
			for _, want := range tt.want {
				require.Contains(t, all, want)
			}
			require.NotContains(t, all, "geheim", "a secret is shown")
		})
	}
}

func TestParseDump(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, give string
		header     http.Header
		body       string
		wantErr    string
	}{
		{name: "the wire", give: "POST /hook HTTP/1.1\r\nHost: x\r\nX-GitBook-Signature:t=1\r\n\r\n{\r\n}\r\n", header: http.Header{"Host": {"x"}, "X-Gitbook-Signature": {"t=1"}}, body: "{\r\n}\r\n"},
		{name: "curl -v", give: "> POST / HTTP/1.1\n> A: b\n> \n{}", header: http.Header{"A": {"b"}}, body: "{}"},
		{name: "headers alone", give: "\nA: b\nA: c", header: http.Header{"A": {"b", "c"}}},
		{name: "a body with headers in it", give: "A: b\n\nC: d\n\ne", header: http.Header{"A": {"b"}}, body: "C: d\n\ne"},
		{name: "a body alone", give: `{"a":1}`, wantErr: "there are no headers"},
		{name: "two lines of a body", give: "{\n\"a\":1}", wantErr: "is no header"},
		{name: "nothing", give: "", wantErr: "there are no headers"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, err := parseDump([]byte(tt.give))
			if tt.wantErr != "" {
				require.ErrorContains(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.header, r.header)
			require.Equal(t, tt.body, string(r.body))
		})
	}
}

// Whatever somebody has kept is a request or an error, and is never found genuine by chance.
func FuzzDiagnose(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nX-GitBook-Signature: t=1,v1=00\r\n\r\n{}"))
	f.Add([]byte("> webhook-id: 1\n> webhook-timestamp: 1\n> webhook-signature: v1,AA==\n\n{\"a\":\"\\u00e9\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseDump(data)
		if err != nil {
			return
		}
		v := diagnose(r, []string{"3q2-7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs"}, noon, gitbook.DefaultTolerance)
		require.False(t, v.Genuine)
		require.NotEmpty(t, v.Findings)
	})
}
