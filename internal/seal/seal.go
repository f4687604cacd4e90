// Package seal encrypts the few secrets that must pass through Temporal, so that its history never
// holds one in the clear. A sealed value is authenticated together with a context, such as the id
// of the delivery it belongs to, and opens only with the same context.
//
// It is a leaf: it uses the standard library alone and knows nothing of configuration, GitBook or
// Temporal.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// KeySize is the length of a key in bytes: AES-256.
const KeySize = 32

// The sealed format, version 1: the version byte, the key's id, a random nonce, and the AES-256-GCM
// ciphertext with its tag. The bytes before the nonce are authenticated with the context.
//
// Random nonces of 96 bits keep one key safe for about 2^32 seals (NIST SP 800-38D, section 8.3).
const (
	version    = 1
	idSize     = 4
	headerSize = 1 + idSize
	nonceSize  = 12
	tagSize    = 16
)

var (
	// ErrNoKey is returned by Seal when the keyring is empty.
	ErrNoKey = errors.New("no sealing key is configured")

	// ErrKeyUnknown is returned by Open when no key of the keyring has the id that the sealed value
	// names, usually because the key was taken out of the configuration while values sealed by it
	// were still in use.
	ErrKeyUnknown = errors.New("the key that sealed this value is not configured")

	// ErrCorrupt is returned by Open for a value that is truncated, altered or not a sealed value,
	// and for a context other than the one it was sealed with.
	ErrCorrupt = errors.New("the sealed value is corrupt or belongs to another context")
)

// A Keyring seals with its first key and opens with any of them, so that keys can be rotated: put
// the new key first, and take the old one out when nothing sealed by it is left. It prints as [set]
// or [empty], and it is safe for concurrent use.
type Keyring struct {
	keys []key
}

type key struct {
	id   [idSize]byte // The first bytes of the SHA-256 of the key.
	aead cipher.AEAD
}

// ParseKey decodes a key: base64 of exactly [KeySize] bytes, in the standard or the URL alphabet,
// padded or not. Its errors never show the value.
func ParseKey(s string) ([]byte, error) {
	const remedy = "make one with `openssl rand -base64 32`"

	// One alphabet without padding covers all four ways of writing it.
	plain := strings.NewReplacer("-", "+", "_", "/").Replace(s)
	if len(plain)%4 == 0 {
		plain = strings.TrimSuffix(strings.TrimSuffix(plain, "="), "=")
	}
	// The decoder would skip line breaks, which in a key are an accident.
	if strings.ContainsAny(plain, "\r\n") {
		return nil, errors.New("is not base64: it contains a line break; " + remedy)
	}
	raw, err := base64.RawStdEncoding.DecodeString(plain)
	if err != nil {
		return nil, errors.New("is not base64; " + remedy)
	}
	if len(raw) != KeySize {
		return nil, fmt.Errorf("is base64 of %d bytes, not of %d; %s", len(raw), KeySize, remedy)
	}
	return raw, nil
}

// NewKeyring returns a keyring whose first key seals and whose keys all open. Each key must be
// [KeySize] bytes. Without any key, Seal returns [ErrNoKey] and Open [ErrKeyUnknown].
func NewKeyring(keys ...[]byte) (*Keyring, error) {
	ring := &Keyring{keys: make([]key, 0, len(keys))}
	for i, raw := range keys {
		if len(raw) != KeySize {
			return nil, fmt.Errorf("key %d has %d bytes, not %d", i+1, len(raw), KeySize)
		}
		block, err := aes.NewCipher(raw)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		aead, err := cipher.NewGCM(block)
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		sum := sha256.Sum256(raw)
		ring.keys = append(ring.keys, key{id: [idSize]byte(sum[:idSize]), aead: aead})
	}
	return ring, nil
}

// Seal encrypts plaintext with the first key and binds it to context, which is authenticated but
// not stored: Open needs the same bytes again. It returns [ErrNoKey] when the keyring is empty.
func (k *Keyring) Seal(plaintext, context []byte) ([]byte, error) {
	if len(k.keys) == 0 {
		return nil, ErrNoKey
	}
	first := k.keys[0]

	sealed := make([]byte, headerSize+nonceSize, headerSize+nonceSize+len(plaintext)+tagSize)
	sealed[0] = version
	copy(sealed[1:], first.id[:])
	nonce := sealed[headerSize:]
	_, _ = rand.Read(nonce) // It cannot fail: without randomness the program ends.
	return first.aead.Seal(sealed, nonce, plaintext, authenticated(sealed[:headerSize], context)), nil
}

// Open decrypts what Seal returned for the same context. It returns [ErrKeyUnknown] when no key has
// the id that the value names, and [ErrCorrupt] for everything else that is wrong with it.
func (k *Keyring) Open(sealed, context []byte) ([]byte, error) {
	if len(sealed) < headerSize+nonceSize+tagSize || sealed[0] != version {
		return nil, ErrCorrupt
	}
	header, nonce, ciphertext := sealed[:headerSize], sealed[headerSize:headerSize+nonceSize], sealed[headerSize+nonceSize:]

	// Two keys may share an id, if rarely, so one that does not fit is no reason to stop.
	err := ErrKeyUnknown
	for _, candidate := range k.keys {
		if !bytes.Equal(candidate.id[:], header[1:]) {
			continue
		}
		plaintext, openErr := candidate.aead.Open(nil, nonce, ciphertext, authenticated(header, context))
		if openErr == nil {
			return plaintext, nil
		}
		err = ErrCorrupt
	}
	return nil, err
}

// authenticated joins what GCM authenticates beside the ciphertext. The header's length is fixed,
// so no two pairs give the same bytes.
func authenticated(header, context []byte) []byte {
	return append(append(make([]byte, 0, len(header)+len(context)), header...), context...)
}

// The methods below have value receivers, so that neither a Keyring nor a pointer to one shows its
// keys.

// String returns [set], or [empty] when there is no key.
func (k Keyring) String() string {
	if len(k.keys) == 0 {
		return "[empty]"
	}
	return "[set]"
}

// Format prints the keyring like String, whatever the verb.
func (k Keyring) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue is the keyring as slog shows it, which is like String.
func (k Keyring) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalText is the keyring in JSON and other encodings, which is like String.
func (k Keyring) MarshalText() ([]byte, error) { return []byte(k.String()), nil }
