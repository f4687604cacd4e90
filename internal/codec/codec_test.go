package codec

import (
	"bytes"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"google.golang.org/protobuf/proto"

	"github.com/gitbook-courier/courier/internal/seal"
)

func keyring(tb testing.TB, fills ...byte) *seal.Keyring {
	tb.Helper()
	keys := make([][]byte, len(fills))
	for i, fill := range fills {
		keys[i] = bytes.Repeat([]byte{fill}, seal.KeySize)
	}
	ring, err := seal.NewKeyring(keys...)
	require.NoError(tb, err)
	return ring
}

func jsonPayload(data string) *commonpb.Payload {
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain"), "type": []byte("x")}, Data: []byte(data)}
}

func encode(tb testing.TB, c *Codec, payloads ...*commonpb.Payload) []*commonpb.Payload {
	tb.Helper()
	encoded, err := c.Encode(payloads)
	require.NoError(tb, err)
	return encoded
}

func requireSame(tb testing.TB, want, got []*commonpb.Payload) {
	tb.Helper()
	require.Len(tb, got, len(want))
	for i := range want {
		require.True(tb, proto.Equal(want[i], got[i]), "payload %d: %v, not %v", i, got[i], want[i])
	}
}

func TestDecodeReturnsWhatEncodeTook(t *testing.T) {
	t.Parallel()
	c := New(keyring(t, 1), true)
	given := []*commonpb.Payload{
		jsonPayload(`{ "comment":"a secret <&>" }`),
		{},
		{Data: bytes.Repeat([]byte{0, 255}, 1<<19)},
		{Metadata: map[string][]byte{"encoding": []byte("binary/null")}},
	}
	encoded := encode(t, c, given...)
	for i, payload := range encoded {
		require.Equal(t, map[string][]byte{"encoding": []byte("binary/encrypted")}, payload.GetMetadata(), i)
		require.NotContains(t, string(payload.GetData()), "secret")
	}
	decoded, err := c.Decode(encoded)
	require.NoError(t, err)
	requireSame(t, given, decoded)
}

// Every later release must read the payloads that are stored in Temporal.
func TestDecodeReadsAStoredPayload(t *testing.T) {
	t.Parallel()
	decoded, err := New(keyring(t, 1), false).Decode([]*commonpb.Payload{storedPayload(t)})
	require.NoError(t, err)
	requireSame(t, []*commonpb.Payload{jsonPayload(`"hello"`)}, decoded)
}

// stored was encrypted once with the key 1.
const stored = "AXLNboR2huFpp6FP0ipgOkrh0+IeLTby4rUN5xXPRBb0Z5oIMWAh5S8/sG1ixQtQoRPjq5W92h4RuDHmsgHKNSrCjc98wgDeGjpZ7hM="

func storedPayload(tb testing.TB) *commonpb.Payload {
	tb.Helper()
	data, err := base64.StdEncoding.DecodeString(stored)
	require.NoError(tb, err)
	return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(Encoding)}, Data: data}
}

func TestEncodeWithoutTheSwitchLeavesPayloadsAlone(t *testing.T) {
	t.Parallel()
	given := jsonPayload(`1`)
	requireSame(t, []*commonpb.Payload{given}, encode(t, New(keyring(t, 1), false), given))
	requireSame(t, []*commonpb.Payload{given}, encode(t, New(keyring(t), false), given))
}

func TestEncodeWithoutAKey(t *testing.T) {
	t.Parallel()
	_, err := New(keyring(t), true).Encode([]*commonpb.Payload{jsonPayload(`1`)})
	require.ErrorIs(t, err, seal.ErrNoKey)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	plain := jsonPayload(`{"a":1}`)
	by1 := encode(t, New(keyring(t, 1), true), plain)[0]
	by2 := encode(t, New(keyring(t, 2, 1), true), plain)[0]
	altered := proto.CloneOf(by1)
	altered.Data[len(altered.Data)-1] ^= 1
	// A webhook of an installation, sealed by the same key, is no payload.
	webhook, err := keyring(t, 1).Seal([]byte("secret"), []byte("evt_1@installation.x"))
	require.NoError(t, err)
	// Nor is a sealed value that holds something else.
	garbage, err := keyring(t, 1).Seal([]byte{0xff}, payloadContext)
	require.NoError(t, err)
	marked := func(data []byte) *commonpb.Payload {
		return &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte(Encoding)}, Data: data}
	}

	tests := []struct {
		name      string
		giveCodec *Codec
		give      []*commonpb.Payload
		wantErr   error
	}{
		{name: "one key", giveCodec: New(keyring(t, 1), true), give: []*commonpb.Payload{by1}},
		{name: "rotated", giveCodec: New(keyring(t, 2, 1), true), give: []*commonpb.Payload{by1, by2}},
		{name: "plain and encrypted", giveCodec: New(keyring(t, 1), true), give: []*commonpb.Payload{plain, by1, plain}},
		{name: "switched off", giveCodec: New(keyring(t, 1), false), give: []*commonpb.Payload{by1, plain}},
		{name: "plain, without any key", giveCodec: New(keyring(t), false), give: []*commonpb.Payload{plain}},
		{name: "old key taken out", giveCodec: New(keyring(t, 2), true), give: []*commonpb.Payload{by2, by1}, wantErr: ErrKeyMissing},
		{name: "no key", giveCodec: New(keyring(t), false), give: []*commonpb.Payload{by1}, wantErr: ErrKeyMissing},
		{name: "altered", giveCodec: New(keyring(t, 1), true), give: []*commonpb.Payload{plain, altered}, wantErr: ErrCorrupt},
		{name: "empty", giveCodec: New(keyring(t, 1), true), give: []*commonpb.Payload{marked(nil)}, wantErr: ErrCorrupt},
		{name: "sealed webhook", giveCodec: New(keyring(t, 1), true), give: []*commonpb.Payload{marked(webhook)}, wantErr: ErrCorrupt},
		{name: "sealed garbage", giveCodec: New(keyring(t, 1), true), give: []*commonpb.Payload{marked(garbage)}, wantErr: ErrCorrupt},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			decoded, err := tt.giveCodec.Decode(tt.give)
			if tt.wantErr != nil {
				require.ErrorIs(t, err, tt.wantErr)
				require.Nil(t, decoded)
				return
			}
			require.NoError(t, err)
			want := make([]*commonpb.Payload, len(tt.give))
			for i := range want {
				want[i] = plain
			}
			requireSame(t, want, decoded)
		})
	}
}

// FuzzDecode checks that nothing but what was encrypted is decrypted, and that nothing panics.
func FuzzDecode(f *testing.F) {
	c := New(keyring(f, 1), true)
	known := storedPayload(f)
	f.Add([]byte(Encoding), known.GetData())
	f.Add([]byte(Encoding), known.GetData()[:20])
	f.Add([]byte(Encoding), []byte{})
	f.Add([]byte("json/plain"), []byte(`{}`))

	f.Fuzz(func(t *testing.T, encoding, data []byte) {
		given := &commonpb.Payload{Metadata: map[string][]byte{"encoding": encoding}, Data: data}
		decoded, err := c.Decode([]*commonpb.Payload{given})
		switch {
		case string(encoding) != Encoding:
			require.NoError(t, err)
			requireSame(t, []*commonpb.Payload{given}, decoded)
		case bytes.Equal(data, known.GetData()):
			require.NoError(t, err)
			requireSame(t, []*commonpb.Payload{jsonPayload(`"hello"`)}, decoded)
		default:
			require.True(t, Unreadable(err))
			require.Nil(t, decoded)
		}
	})
}
