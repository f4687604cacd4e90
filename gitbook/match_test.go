package gitbook

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMatches(t *testing.T) {
	t.Parallel()
	event, err := ParseEvent([]byte(`{"eventId":"evt_1","type":"site_view","visitor":{"language":"de-AT","tags":["a", ["b"], {"name":"c"}],
		"age":42,"paying":true,"plan":null,"name":"\u0061b","":"x","deep":{"language":"fr"}},"visitor ":1,"url":"https://docs.example.com/guide?x=1"}`))
	require.NoError(t, err)
	for _, tt := range []struct {
		path   string
		values []string
		want   bool
	}{
		{"visitor.language", []string{"en", "de-AT"}, true},
		{"visitor.language", []string{"en", "de"}, false},
		{"visitor.language", []string{"en", "de*"}, true},
		{"visitor.language", []string{"DE*"}, false},
		{"visitor.language", []string{"*"}, true},
		{"visitor.language", []string{"de-*"}, true},
		{"visitor.language", nil, false},
		{"visitor.languages", []string{"*"}, false},
		{"Visitor.language", []string{"*"}, false},
		{"visitor", []string{"*"}, false},
		{"visitor.deep", []string{"*"}, false},
		{"visitor.deep.language", []string{"fr"}, true},
		{"visitor.language.more", []string{"*"}, false},
		{"visitor.tags", []string{"a"}, true},
		{"visitor.tags", []string{"b"}, true},
		{"visitor.tags", []string{"c"}, false},
		{"visitor.tags.name", []string{"c"}, true},
		{"visitor.age", []string{"42"}, true},
		{"visitor.age", []string{"4*"}, true},
		{"visitor.paying", []string{"true"}, true},
		{"visitor.plan", []string{"null"}, true},
		{"visitor.name", []string{"ab"}, true},
		{"url", []string{"https://docs.example.com/guide*"}, true},
		{"type", []string{"site_view"}, true},
	} {
		require.Equal(t, tt.want, event.Matches(tt.path, tt.values), "%s %q", tt.path, tt.values)
	}
}

// FuzzMatches compares with a decoder of the standard library.
func FuzzMatches(f *testing.F) {
	f.Add([]byte(`{"eventId":"1","type":"t","a":{"b":["x",1.50,{"b":null}]}}`), "a.b", "x")
	f.Add([]byte(`{"eventId":"1","type":"t","a":[[],{"b":"\ud800"}]}`), "a.b", "*")
	f.Fuzz(func(t *testing.T, data []byte, path, value string) {
		event, err := ParseEvent(data)
		if err != nil {
			return
		}
		decoder := json.NewDecoder(strings.NewReader(string(data)))
		decoder.UseNumber()
		var decoded any
		require.NoError(t, decoder.Decode(&decoded))
		require.Equal(t, matchesDecoded(decoded, strings.Split(path, "."), value), event.Matches(path, []string{value}))
	})
}

func matchesDecoded(value any, path []string, want string) bool {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			if matchesDecoded(element, path, want) {
				return true
			}
		}
		return false
	case map[string]any:
		if len(path) == 0 {
			return false
		}
		below, ok := v[path[0]]
		return ok && matchesDecoded(below, path[1:], want)
	}
	text := fmt.Sprint(value)
	if value == nil {
		text = "null"
	}
	prefix, ok := strings.CutSuffix(want, "*")
	return len(path) == 0 && (text == want || ok && strings.HasPrefix(text, prefix))
}

func BenchmarkMatches(b *testing.B) {
	event, err := ParseEvent(Sample(EventSiteView, "evt_1"))
	require.NoError(b, err)
	for b.Loop() {
		event.Matches("visitor.userAgent", []string{"bot*", "curl*"})
	}
}
