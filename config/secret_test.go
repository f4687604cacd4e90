package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

func TestConfigNeverShowsASecret(t *testing.T) {
	t.Parallel()

	const marker = "planted/marker"
	cfg := Config{
		Access:      Access{Tokens: []Secret{marker}},
		SealingKeys: []Secret{marker, marker},
		Sources:     []Source{{Name: "docs", Secrets: []Secret{marker}}},
		Destinations: []Destination{{
			Name:    "cache",
			URL:     "https://example.com/?" + marker,
			Secrets: []Secret{marker},
			Headers: Headers{"X-Key": marker},
		}},
	}

	shown := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		shown[verb] = fmt.Sprintf(verb, cfg)
		shown["&"+verb] = fmt.Sprintf(verb, &cfg)
		shown["destination "+verb] = fmt.Sprintf(verb, cfg.Destinations[0])
		shown["headers "+verb] = fmt.Sprintf(verb, cfg.Destinations[0].Headers)
		shown["secrets "+verb] = fmt.Sprintf(verb, cfg.SealingKeys)
	}
	encoded, err := json.Marshal(cfg)
	require.NoError(t, err)
	shown["json"] = string(encoded)
	encoded, err = yaml.Marshal(cfg)
	require.NoError(t, err)
	shown["yaml"] = string(encoded)

	var text, object bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&text, nil), slog.NewJSONHandler(&object, nil)} {
		slog.New(handler).InfoContext(t.Context(), "started", "config", cfg, "token", cfg.Access.Tokens[0],
			"tokens", cfg.Access.Tokens, "headers", cfg.Destinations[0].Headers)
	}
	shown["slog text"], shown["slog json"] = text.String(), object.String()
	shown["errors"] = cfg.Validate().Error()

	for how, text := range shown {
		require.NotContains(t, text, marker, how)
		require.NotContains(t, text, fmt.Sprintf("%x", marker), how)
		require.NotContains(t, text, fmt.Sprintf("%X", marker), how)
		if how != "errors" {
			require.Contains(t, text, "[set]", how)
		}
	}
}

func TestSecretSaysWhetherItIsSet(t *testing.T) {
	t.Parallel()

	require.Equal(t, "[set]", Secret("a").String())
	require.Equal(t, "[empty]", Secret("").String())
	require.Equal(t, "a", Secret("a").Reveal())
	require.Equal(t, "map[X-Empty:[empty] X-Key:[set]]", fmt.Sprint(Headers{"X-Key": "a", "X-Empty": ""}))
}

func TestDisplayURL(t *testing.T) {
	t.Parallel()

	tests := []struct {
		give string
		want string
	}{
		{"https://example.com/hook", "https://example.com/hook"},
		{"https://user:pass@example.com:8443/a%2Fb/c?key=1#top", "https://example.com:8443/a%2Fb/c"},
		{"https://example.com?", "https://example.com"},
		{"user:pass@example.com", "[not a URL]"},
		{"example.com/hook?key=1", "[not a URL]"},
		{"https://example.com/%zz", "[not a URL]"},
		{"https://exa mple.com", "[not a URL]"},
		{"", "[not a URL]"},
	}
	for _, tt := range tests {
		require.Equal(t, tt.want, DisplayURL(tt.give), tt.give)
	}
}
