package seal

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func testKey(fill byte) []byte { return bytes.Repeat([]byte{fill}, KeySize) }

// storedValue was sealed once with testKey(1): "a webhook secret" in the context "evt_1@docs".
func storedValue(tb testing.TB) []byte {
	tb.Helper()
	sealed, err := base64.StdEncoding.DecodeString("AXLNboSRJwsQI/QgF0T8dW/UvJcshZrnwNDXj3hRe6UWsXeBYSF542IRLl98Lg8sAw==")
	require.NoError(tb, err)
	return sealed
}

func newTestKeyring(tb testing.TB, keys ...[]byte) *Keyring {
	tb.Helper()
	ring, err := NewKeyring(keys...)
	require.NoError(tb, err)
	return ring
}

func TestOpenReturnsWhatSealTook(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	for _, plaintext := range []string{"", "s", "a webhook secret", strings.Repeat("long", 4096)} {
		sealed, err := ring.Seal([]byte(plaintext), []byte("evt_1@docs"))
		require.NoError(t, err)
		require.Len(t, sealed, headerSize+nonceSize+len(plaintext)+tagSize)
		if len(plaintext) > 1 {
			require.NotContains(t, string(sealed), plaintext)
		}

		opened, err := ring.Open(sealed, []byte("evt_1@docs"))
		require.NoError(t, err)
		require.Equal(t, plaintext, string(opened))
	}
}

// The format is stored in Temporal's history, so a value sealed by an earlier release must open for
// ever.
func TestOpenReadsAStoredValue(t *testing.T) {
	t.Parallel()

	opened, err := newTestKeyring(t, testKey(1)).Open(storedValue(t), []byte("evt_1@docs"))
	require.NoError(t, err)
	require.Equal(t, "a webhook secret", string(opened))
}

func TestSealNeverRepeatsItself(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	one, err := ring.Seal([]byte("secret"), nil)
	require.NoError(t, err)
	two, err := ring.Seal([]byte("secret"), nil)
	require.NoError(t, err)

	require.Equal(t, one[:headerSize], two[:headerSize])
	require.NotEqual(t, one[headerSize:headerSize+nonceSize], two[headerSize:headerSize+nonceSize])
	require.NotEqual(t, one[headerSize+nonceSize:], two[headerSize+nonceSize:])
}

func TestKeysRotate(t *testing.T) {
	t.Parallel()

	before := newTestKeyring(t, testKey(1))
	during := newTestKeyring(t, testKey(2), testKey(1))
	after := newTestKeyring(t, testKey(2))

	older, err := before.Seal([]byte("older"), nil)
	require.NoError(t, err)
	newer, err := during.Seal([]byte("newer"), nil)
	require.NoError(t, err)

	tests := []struct {
		name      string
		giveRing  *Keyring
		giveValue []byte
		want      string
		wantErr   error
	}{
		{name: "old key opens old value", giveRing: before, giveValue: older, want: "older"},
		{name: "both keys open old value", giveRing: during, giveValue: older, want: "older"},
		{name: "first key seals", giveRing: after, giveValue: newer, want: "newer"},
		{name: "old key alone", giveRing: before, giveValue: newer, wantErr: ErrKeyUnknown},
		{name: "old key taken out", giveRing: after, giveValue: older, wantErr: ErrKeyUnknown},
		{name: "no key", giveRing: newTestKeyring(t), giveValue: older, wantErr: ErrKeyUnknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			opened, err := tt.giveRing.Open(tt.giveValue, nil)
			require.ErrorIs(t, err, tt.wantErr)
			require.Equal(t, tt.want, string(opened))
		})
	}
}

// Two keys whose ids collide must both open what they sealed.
func TestOpenTriesEveryKeyOfAnID(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1), testKey(2))
	sealer := newTestKeyring(t, testKey(2))
	ring.keys[0].id = [idSize]byte{1, 2, 3, 4}
	ring.keys[1].id = ring.keys[0].id
	sealer.keys[0].id = ring.keys[0].id

	sealed, err := sealer.Seal([]byte("secret"), nil)
	require.NoError(t, err)
	opened, err := ring.Open(sealed, nil)
	require.NoError(t, err)
	require.Equal(t, "secret", string(opened))
}

func TestSealWithoutKey(t *testing.T) {
	t.Parallel()

	_, err := newTestKeyring(t).Seal([]byte("secret"), nil)
	require.ErrorIs(t, err, ErrNoKey)
}

func TestNewKeyringRefusesAWrongLength(t *testing.T) {
	t.Parallel()

	for _, size := range []int{0, 16, KeySize - 1, KeySize + 1} {
		_, err := NewKeyring(testKey(1), make([]byte, size))
		require.EqualError(t, err, fmt.Sprintf("key 2 has %d bytes, not 32", size))
	}
}

func TestOpenRefusesAnotherContext(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	sealed, err := ring.Seal([]byte("secret"), []byte("evt_1@docs"))
	require.NoError(t, err)

	for _, context := range []string{"", "evt_1@doc", "evt_1@docsx", "evt_2@docs", "xevt_1@docs"} {
		_, err := ring.Open(sealed, []byte(context))
		require.ErrorIs(t, err, ErrCorrupt, "context %q", context)
	}
}

func TestOpenRefusesEveryAlteredByte(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	sealed, err := ring.Seal([]byte("secret"), []byte("context"))
	require.NoError(t, err)

	for i := range sealed {
		for bit := range 8 {
			altered := bytes.Clone(sealed)
			altered[i] ^= 1 << bit

			want := ErrCorrupt
			if i >= 1 && i < headerSize {
				want = ErrKeyUnknown
			}
			_, err := ring.Open(altered, []byte("context"))
			require.ErrorIs(t, err, want, "byte %d, bit %d", i, bit)
		}
	}
}

// The header is authenticated too: an altered key id must not lead to another key that fits by
// chance.
func TestOpenAuthenticatesTheHeader(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	sealed, err := ring.Seal([]byte("secret"), nil)
	require.NoError(t, err)

	sealed[1] ^= 1
	ring.keys[0].id[0] ^= 1
	_, err = ring.Open(sealed, nil)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestOpenRefusesTruncatedAndExtended(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	sealed, err := ring.Seal([]byte("secret"), nil)
	require.NoError(t, err)

	for n := range sealed {
		_, err := ring.Open(sealed[:n], nil)
		require.ErrorIs(t, err, ErrCorrupt, "first %d bytes", n)
	}
	_, err = ring.Open(append(bytes.Clone(sealed), 0), nil)
	require.ErrorIs(t, err, ErrCorrupt)
	_, err = ring.Open(nil, nil)
	require.ErrorIs(t, err, ErrCorrupt)
}

func TestParseKey(t *testing.T) {
	t.Parallel()

	raw := testKey(0xfb) // Its base64 has the characters in which the two alphabets differ.
	const remedy = "; make one with `openssl rand -base64 32`"
	tests := []struct {
		name    string
		give    string
		wantErr string
	}{
		{name: "standard", give: base64.StdEncoding.EncodeToString(raw)},
		{name: "standard, unpadded", give: base64.RawStdEncoding.EncodeToString(raw)},
		{name: "url", give: base64.URLEncoding.EncodeToString(raw)},
		{name: "url, unpadded", give: base64.RawURLEncoding.EncodeToString(raw)},
		{name: "empty", give: "", wantErr: "is base64 of 0 bytes, not of 32" + remedy},
		{name: "short", give: base64.StdEncoding.EncodeToString(raw[:31]), wantErr: "is base64 of 31 bytes, not of 32" + remedy},
		{name: "long", give: base64.StdEncoding.EncodeToString(append(raw, 1)), wantErr: "is base64 of 33 bytes, not of 32" + remedy},
		{name: "hex", give: strings.Repeat("fb", 32), wantErr: "is base64 of 48 bytes, not of 32" + remedy},
		{name: "not base64", give: "correct horse battery staple", wantErr: "is not base64" + remedy},
		{name: "padding astray", give: base64.RawStdEncoding.EncodeToString(raw) + "==", wantErr: "is not base64" + remedy},
		{name: "line break", give: base64.StdEncoding.EncodeToString(raw) + "\n", wantErr: "is not base64: it contains a line break" + remedy},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			key, err := ParseKey(tt.give)
			if tt.wantErr != "" {
				require.EqualError(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, raw, key)
		})
	}
}

func TestKeyringNeverPrintsItsKeys(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		require.Equal(t, "[set]", fmt.Sprintf(verb, ring), verb)
		require.Equal(t, "[set]", fmt.Sprintf(verb, *ring), verb)
	}
	require.Equal(t, "[empty]", newTestKeyring(t).String())

	encoded, err := json.Marshal(map[string]any{"pointer": ring, "value": *ring})
	require.NoError(t, err)
	require.JSONEq(t, `{"pointer":"[set]","value":"[set]"}`, string(encoded))

	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "started", "keys", ring)
	require.Contains(t, log.String(), "keys=[set]")
}

func TestKeyringIsSafeForConcurrentUse(t *testing.T) {
	t.Parallel()

	ring := newTestKeyring(t, testKey(1))
	var group sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		group.Go(func() {
			sealed, err := ring.Seal([]byte("secret"), nil)
			if err == nil {
				_, err = ring.Open(sealed, nil)
			}
			errs[i] = err
		})
	}
	group.Wait()
	require.Equal(t, make([]error, len(errs)), errs)
}

// FuzzOpen checks that nothing but what was sealed opens, and that nothing panics.
func FuzzOpen(f *testing.F) {
	ring := newTestKeyring(f, testKey(1))
	sealed := storedValue(f)
	f.Add(sealed, []byte("evt_1@docs"))
	f.Add(sealed, []byte("evt_2@docs"))
	f.Add(sealed[:headerSize+nonceSize], []byte("evt_1@docs"))
	f.Add([]byte{version}, []byte{})
	f.Add([]byte{}, []byte{})

	f.Fuzz(func(t *testing.T, data, context []byte) {
		opened, err := ring.Open(data, context)
		if bytes.Equal(data, sealed) && string(context) == "evt_1@docs" {
			require.NoError(t, err)
			require.Equal(t, "a webhook secret", string(opened))
			return
		}
		require.Error(t, err)
		require.Nil(t, opened)
	})
}
