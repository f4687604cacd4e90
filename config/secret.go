package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
)

// A Secret is a text that must not be shown: it prints, logs and encodes as [set], or as [empty].
// Keep it in exported fields, because fmt does not ask the values of unexported ones how they
// print.
type Secret string

// Reveal returns the text itself.
func (s Secret) Reveal() string { return string(s) }

// String returns [set] or [empty].
func (s Secret) String() string {
	if s == "" {
		return "[empty]"
	}
	return "[set]"
}

// Format prints the secret like String, whatever the verb: %d, %x and %#v would otherwise show its
// bytes.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is the secret as slog shows it, which is like String.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is the secret in JSON, YAML and other encodings, which is like String.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Headers are request headers by name. Their values are often tokens, so each prints and encodes as
// a [Secret]; index or range over them for the values themselves.
type Headers map[string]string

func (h Headers) hidden() map[string]Secret {
	hidden := make(map[string]Secret, len(h))
	for name, value := range h {
		hidden[name] = Secret(value)
	}
	return hidden
}

// Format prints the names with their values hidden, whatever the verb.
func (h Headers) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "%v", h.hidden()) }

// MarshalJSON encodes the names with their values hidden.
func (h Headers) MarshalJSON() ([]byte, error) { return json.Marshal(h.hidden()) }

// MarshalYAML encodes the names with their values hidden.
func (h Headers) MarshalYAML() (any, error) { return h.hidden(), nil }

// DisplayURL returns the URL for showing: without user info, query and fragment, which may hold
// secrets. For a text that is not an absolute URL it returns "[not a URL]".
func DisplayURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return "[not a URL]"
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return shown.String()
}
