// Package codec encrypts what passes through Temporal, payload by payload, with the keys of
// internal/seal. It knows neither what payloads hold nor where the keys come from.
package codec

import (
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"

	"github.com/gitbook-courier/courier/internal/seal"
)

// Encoding is the metadata field "encoding" of an encrypted payload, which has no other. Its data
// is a sealed value (see package seal) of the original payload, metadata included, in Protocol
// Buffers' wire format. The name is that of the samples of Temporal's own SDKs, their format is
// another.
const Encoding = "binary/encrypted"

var (
	// ErrKeyMissing is returned for a payload whose key is not configured.
	ErrKeyMissing = errors.New("the key of an encrypted payload is missing; put it back into sealing_keys")

	// ErrCorrupt is returned for a payload that is marked as encrypted, but was not encrypted by a
	// Codec, or was altered since.
	ErrCorrupt = errors.New("an encrypted payload is corrupt, or was not encrypted by Courier")
)

// payloadContext sets payloads apart from the other sealed values, whose contexts are workflow ids
// of deliveries and have an "@". A payload is not bound to its workflow: a UI that has it decrypted
// does not say where it is from.
var payloadContext = []byte("temporal payload")

// Codec is a [converter.PayloadCodec]. It is safe for concurrent use.
type Codec struct {
	keys    *seal.Keyring
	encrypt bool
}

var _ converter.PayloadCodec = (*Codec)(nil)

// New makes a codec that decrypts with any key of the keyring. It encrypts with the first when
// encrypt is true, and otherwise leaves payloads as they are, so that encryption can be switched on
// and off while payloads are in Temporal.
func New(keys *seal.Keyring, encrypt bool) *Codec {
	return &Codec{keys: keys, encrypt: encrypt}
}

// Encode implements converter.PayloadCodec. It returns [seal.ErrNoKey] when there is no key to
// encrypt with.
func (c *Codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	if !c.encrypt {
		return payloads, nil
	}
	encrypted := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		plain, err := proto.Marshal(payload)
		if err != nil {
			return nil, err
		}
		sealed, err := c.keys.Seal(plain, payloadContext)
		if err != nil {
			return nil, err
		}
		encrypted[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(Encoding)},
			Data:     sealed,
		}
	}
	return encrypted, nil
}

// Decode implements converter.PayloadCodec. Payloads that are not encrypted stay as they are. It
// returns [ErrKeyMissing] or [ErrCorrupt] when one cannot be decrypted, and then no payload at all.
func (c *Codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	plain := make([]*commonpb.Payload, len(payloads))
	for i, payload := range payloads {
		if string(payload.GetMetadata()[converter.MetadataEncoding]) != Encoding {
			plain[i] = payload
			continue
		}
		opened, err := c.keys.Open(payload.GetData(), payloadContext)
		if errors.Is(err, seal.ErrKeyUnknown) {
			return nil, ErrKeyMissing
		}
		plain[i] = new(commonpb.Payload)
		if err != nil || proto.Unmarshal(opened, plain[i]) != nil {
			return nil, ErrCorrupt
		}
	}
	return plain, nil
}
