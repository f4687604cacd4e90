package gitbook

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// signed is a signature of testdata/vectors.json, which testdata/vectors.mjs makes with Node's crypto.
// The receivers in other languages are tested with the same file.
type signed struct {
	Name              string   `json:"name"`
	ID                string   `json:"id"`
	Timestamp         int64    `json:"timestamp"`
	Secrets           []string `json:"secrets"`
	Body              []byte   `json:"body"`
	Signature         string   `json:"signature"`
	StandardSignature string   `json:"standardSignature"`

	// SampleAccepts lists the secrets with which a verifier like GitBook's sample accepts
	// Signature.
	SampleAccepts []string `json:"sampleAccepts"`
}

// received is a header that a receiver gets, and what it must say: "ok" or a code.
type received struct {
	Name      string   `json:"name"`
	Secrets   []string `json:"secrets"`
	Now       int64    `json:"now"`
	Body      []byte   `json:"body"`
	Signature *string  `json:"signature"`
	Want      string   `json:"want"`
}

func vectors(tb testing.TB) (all struct {
	Signed   []signed   `json:"signed"`
	Received []received `json:"received"`
},
) {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(tb, err)
	require.NoError(tb, json.Unmarshal(data, &all))
	require.NotEmpty(tb, all.Signed)
	require.NotEmpty(tb, all.Received)
	return all
}

func at(seconds int64) func() time.Time {
	return func() time.Time { return time.Unix(seconds, 0) }
}

func TestSignaturesMatchNodes(t *testing.T) {
	t.Parallel()
	for _, tt := range vectors(t).Signed {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			sentAt := time.Unix(tt.Timestamp, 999_999_999)
			require.Equal(t, tt.Signature, Sign(sentAt, tt.Body, tt.Secrets...))
			require.Equal(t, tt.StandardSignature, SignStandard(tt.ID, sentAt, tt.Body, tt.Secrets...))
			for _, secret := range tt.Secrets {
				verifier := Verifier{Secrets: []string{secret}, Now: at(tt.Timestamp)}
				require.NoError(t, verifier.Verify(tt.Signature, tt.Body))
			}
		})
	}
}

// Ensure that during a rotation, receivers that copied GitBook's sample go on accepting the secret
// they know, which is the oldest.
func TestSampleVerifierAcceptsTheOldestSecret(t *testing.T) {
	t.Parallel()
	for _, tt := range vectors(t).Signed {
		require.Equal(t, tt.Secrets[len(tt.Secrets)-1:], tt.SampleAccepts, tt.Name)
	}
}

func TestVerifySaysOfVectorsAsOtherLanguagesDo(t *testing.T) {
	t.Parallel()
	codes := map[string]error{
		"ok": nil, "no_secret": ErrNoSecret, "missing": ErrSignatureMissing, "malformed": ErrSignatureMalformed,
		"mismatch": ErrSignatureMismatch, "too_old": ErrTimestampTooOld, "too_new": ErrTimestampTooNew,
	}
	for _, tt := range vectors(t).Received {
		if tt.Signature == nil { // of Standard Webhooks, for which Go has the specification's own library
			continue
		}
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			want, known := codes[tt.Want]
			require.True(t, known)
			require.Equal(t, want, Verifier{Secrets: tt.Secrets, Now: at(tt.Now)}.Verify(*tt.Signature, tt.Body))
		})
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	const now = 1735689600
	body := []byte(documentedEvent)
	good := Sign(time.Unix(now, 0), body, "secret")
	mac := strings.TrimPrefix(good, "t=1735689600,v1=")
	other := strings.Repeat("0", 64)
	// A time with a leading zero is signed with it.
	zeroMAC := computeMAC("secret", "01735689600.", body)
	zero := "t=01735689600,v1=" + hexText(zeroMAC[:])

	tests := []struct {
		name        string
		giveSecrets []string
		giveHeader  string
		giveBody    string
		want        error
	}{
		{name: "genuine", giveHeader: good},
		{name: "upper case", giveHeader: "t=1735689600,v1=" + strings.ToUpper(mac)},
		{name: "mixed case", giveHeader: "t=1735689600,v1=" + strings.ToUpper(mac[:31]) + mac[31:]},
		{name: "the same v1 twice", giveHeader: good + ",v1=" + mac},
		{name: "hundreds of v1, one of which matches", giveHeader: good + strings.Repeat(",v1="+other, 500)},
		{name: "blanks after the comma", giveHeader: "t=1735689600, v1=" + mac + " "},
		{name: "the time after the signature", giveHeader: "v1=" + mac + ",t=1735689600"},
		{name: "the first v1 matches", giveHeader: good + ",v1=" + other},
		{name: "the last v1 matches", giveHeader: "t=1735689600,v1=" + other + ",v1=" + mac},
		{name: "a broken v1 beside a good one", giveHeader: "t=1735689600,v1=zz,v1=" + mac},
		{name: "unknown schemes", giveHeader: "v0=x,t=1735689600,v2=abc,flag,v1=" + mac + ",=,"},
		{name: "the time exactly as sent", giveHeader: zero},
		{name: "the second secret", giveSecrets: []string{"new", "secret"}, giveHeader: good},
		{name: "an empty secret beside a good one", giveSecrets: []string{"", "secret"}, giveHeader: good},

		{name: "no secret", giveSecrets: []string{}, giveHeader: good, want: ErrNoSecret},
		{
			name: "an empty secret never verifies", giveSecrets: []string{""},
			giveHeader: Sign(time.Unix(now, 0), body, ""), want: ErrNoSecret,
		},
		{
			name: "an empty secret beside another never verifies", giveSecrets: []string{"", "secret"},
			giveHeader: Sign(time.Unix(now, 0), body, ""), want: ErrSignatureMismatch,
		},
		{name: "no header", giveHeader: "", want: ErrSignatureMissing},
		{name: "a blank header", giveHeader: " \t", want: ErrSignatureMissing},
		{name: "not a signature", giveHeader: "hello", want: ErrSignatureMalformed},
		{name: "no time", giveHeader: "v1=" + mac, want: ErrSignatureMalformed},
		{name: "an empty time", giveHeader: "t=,v1=" + mac, want: ErrSignatureMalformed},
		{name: "a time with a sign", giveHeader: "t=+1735689600,v1=" + mac, want: ErrSignatureMalformed},
		{name: "a negative time", giveHeader: "t=-1735689600,v1=" + mac, want: ErrSignatureMalformed},
		{name: "a time with a fraction", giveHeader: "t=1735689600.5,v1=" + mac, want: ErrSignatureMalformed},
		{name: "a time in hex", giveHeader: "t=0x67748580,v1=" + mac, want: ErrSignatureMalformed},
		{name: "a time beyond the bound", giveHeader: "t=1099511627776,v1=" + mac, want: ErrSignatureMalformed},
		{name: "two times", giveHeader: "t=1735689600,t=1735689600,v1=" + mac, want: ErrSignatureMalformed},
		{name: "no signature", giveHeader: "t=1735689600", want: ErrSignatureMalformed},
		{name: "another scheme only", giveHeader: "t=1735689600,v2=" + mac, want: ErrSignatureMalformed},
		{name: "names in another case", giveHeader: "T=1735689600,V1=" + mac, want: ErrSignatureMalformed},
		{name: "too short a signature", giveHeader: "t=1735689600,v1=" + mac[:62], want: ErrSignatureMalformed},
		{name: "too long a signature", giveHeader: good + "00", want: ErrSignatureMalformed},
		{name: "a signature that is not hex", giveHeader: "t=1735689600,v1=" + strings.Repeat("g", 64), want: ErrSignatureMalformed},
		{name: "another signature", giveHeader: "t=1735689600,v1=" + other, want: ErrSignatureMismatch},
		{name: "several other signatures", giveHeader: "t=1735689600,v1=" + other + ",v1=" + strings.Repeat("f", 64), want: ErrSignatureMismatch},
		{name: "a genuine signature of another time beside", giveHeader: "t=1735689601" + strings.Repeat(",v1="+mac, 2), want: ErrSignatureMismatch},
		{name: "a genuine signature as another scheme", giveHeader: "t=1735689600,v2=" + mac + ",v1=" + other, want: ErrSignatureMismatch},
		{name: "two headers joined", giveHeader: good + ", " + good, want: ErrSignatureMalformed},
		{name: "another secret", giveSecrets: []string{"Secret"}, giveHeader: good, want: ErrSignatureMismatch},
		{name: "another body", giveHeader: good, giveBody: documentedEvent + " ", want: ErrSignatureMismatch},
		{name: "another time", giveHeader: "t=1735689601,v1=" + mac, want: ErrSignatureMismatch},
		{name: "a leading zero that was not signed", giveHeader: "t=01735689600,v1=" + mac, want: ErrSignatureMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			secrets := tt.giveSecrets
			if secrets == nil {
				secrets = []string{"secret"}
			}
			given := body
			if tt.giveBody != "" {
				given = []byte(tt.giveBody)
			}
			err := Verifier{Secrets: secrets, Now: at(now)}.Verify(tt.giveHeader, given)
			require.ErrorIs(t, err, tt.want)
		})
	}
}

func hexText(data []byte) string {
	const digits = "0123456789abcdef"
	var text strings.Builder
	for _, b := range data {
		text.WriteByte(digits[b>>4])
		text.WriteByte(digits[b&15])
	}
	return text.String()
}

func TestVerifyTime(t *testing.T) {
	t.Parallel()
	const sent = 1735689600
	header := Sign(time.Unix(sent, 0), nil, "secret")
	tests := []struct {
		name          string
		giveTolerance time.Duration
		giveAge       time.Duration
		giveSecret    string
		want          error
	}{
		{name: "at once"},
		{name: "as old as the default", giveAge: DefaultTolerance},
		{name: "a nanosecond older", giveAge: DefaultTolerance + 1, want: ErrTimestampTooOld},
		{name: "as far ahead as the default", giveAge: -DefaultTolerance},
		{name: "a nanosecond further ahead", giveAge: -DefaultTolerance - 1, want: ErrTimestampTooNew},
		{name: "as old as a tolerance of its own", giveTolerance: time.Second, giveAge: time.Second},
		{name: "older than that", giveTolerance: time.Second, giveAge: time.Second + 1, want: ErrTimestampTooOld},
		{name: "years old", giveAge: 40 * 365 * 24 * time.Hour, want: ErrTimestampTooOld},
		{name: "years old without the check", giveTolerance: -1, giveAge: 40 * 365 * 24 * time.Hour},
		{name: "ahead without the check", giveTolerance: -1, giveAge: -time.Hour},
		{name: "old and not genuine", giveSecret: "other", giveAge: time.Hour, want: ErrSignatureMismatch},
		{name: "not genuine without the check", giveSecret: "other", giveTolerance: -1, want: ErrSignatureMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			secret := "secret"
			if tt.giveSecret != "" {
				secret = tt.giveSecret
			}
			verifier := Verifier{
				Secrets:   []string{secret},
				Tolerance: tt.giveTolerance,
				Now:       func() time.Time { return time.Unix(sent, 0).Add(tt.giveAge) },
			}
			require.ErrorIs(t, verifier.Verify(header, nil), tt.want)
		})
	}
}

// Ensure that the greatest time a header may have is ahead of the clock, not wrapped around behind
// it.
func TestVerifyGreatestTime(t *testing.T) {
	t.Parallel()
	header := Sign(time.Unix(1<<40-1, 0), nil, "secret")
	require.ErrorIs(t, Verifier{Secrets: []string{"secret"}}.Verify(header, nil), ErrTimestampTooNew)
}

// Ensure that without a clock of its own the verifier uses the machine's.
func TestVerifyByTheMachinesClock(t *testing.T) {
	t.Parallel()
	verifier := Verifier{Secrets: []string{"secret"}}
	require.NoError(t, verifier.Verify(Sign(time.Now(), nil, "secret"), nil))
	require.ErrorIs(t, verifier.Verify(Sign(time.Now().Add(-time.Hour), nil, "secret"), nil), ErrTimestampTooOld)
}

func TestSignStandardSignsTheIDAsHTTPCarriesIt(t *testing.T) {
	t.Parallel()
	sentAt := time.Unix(1735689600, 0)
	require.Equal(t, SignStandard("a b", sentAt, nil, "secret"), SignStandard(" a b ", sentAt, nil, "secret"))
	require.NotEqual(t, SignStandard("ab", sentAt, nil, "secret"), SignStandard("a b", sentAt, nil, "secret"))
}

func BenchmarkSign(b *testing.B) {
	body := []byte(documentedEvent)
	sentAt := time.Unix(1735689600, 0)
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		Sign(sentAt, body, "secret")
	}
}

func BenchmarkVerify(b *testing.B) {
	body := []byte(documentedEvent)
	header := Sign(time.Unix(1735689600, 0), body, "secret")
	verifier := Verifier{Secrets: []string{"secret"}, Now: at(1735689600)}
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := verifier.Verify(header, body); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	good := Sign(time.Unix(1735689600, 0), []byte("body"), "secret")
	for _, header := range []string{good, "", "t=1,v1=", "t=1735689600,v1=zz", good + "," + good, "v2=a, t=5", "t==1,v1==2"} {
		f.Add(header, []byte("body"), "secret", uint32(1735689600))
	}
	f.Fuzz(func(t *testing.T, header string, body []byte, secret string, seconds uint32) {
		verifier := Verifier{Secrets: []string{secret}, Now: at(int64(seconds))}
		if err := verifier.Verify(header, body); err == nil {
			require.NotEmpty(t, secret)
			// An accepted header has the genuine signature in it.
			timestamp, _, ok := parseSignature(header)
			require.True(t, ok)
			mac := computeMAC(secret, timestamp+".", body)
			require.Contains(t, strings.ToLower(header), "v1="+hexText(mac[:]))
		} else {
			require.Contains(t, []error{
				ErrNoSecret, ErrSignatureMissing, ErrSignatureMalformed, ErrSignatureMismatch, ErrTimestampTooOld, ErrTimestampTooNew,
			}, err)
		}

		signed := Sign(time.Unix(int64(seconds), 0), body, "newer", secret)
		if secret == "" {
			require.ErrorIs(t, verifier.Verify(signed, body), ErrNoSecret)
			return
		}
		require.NoError(t, verifier.Verify(signed, body))
		// HMAC fills a short key with zeros, so secrets that differ in trailing zeros alone are one
		// key.
		if strings.TrimRight(secret, "\x00") != "another" {
			err := Verifier{Secrets: []string{"another"}, Now: verifier.Now}.Verify(Sign(time.Unix(int64(seconds), 0), body, secret), body)
			require.ErrorIs(t, err, ErrSignatureMismatch)
		}
	})
}
