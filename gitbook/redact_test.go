package gitbook

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRedact(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		give      string
		givePaths []string
		want      string
	}{
		{
			name:      "a visitor's data",
			give:      `{"eventId":"evt_1","type":"site_view","visitor":{"anonymousId":"a","userAgent":"u","ip":"203.0.113.7","cookies":{"k":"v"}},"url":"https://x/"}`,
			givePaths: []string{"visitor.ip", "visitor.cookies"},
			want:      `{"eventId":"evt_1","type":"site_view","visitor":{"anonymousId":"a","userAgent":"u"},"url":"https://x/"}`,
		},
		{"the first member", `{"a":1,"b":2,"c":3}`, []string{"a"}, `{"b":2,"c":3}`},
		{"one in the middle", `{"a":1,"b":2,"c":3}`, []string{"b"}, `{"a":1,"c":3}`},
		{"the last member", `{"a":1,"b":2,"c":3}`, []string{"c"}, `{"a":1,"b":2}`},
		{"the first two", `{"a":1,"b":2,"c":3}`, []string{"a", "b"}, `{"c":3}`},
		{"the last two", `{"a":1,"b":2,"c":3}`, []string{"b", "c"}, `{"a":1}`},
		{"the outer two", `{"a":1,"b":2,"c":3}`, []string{"a", "c"}, `{"b":2}`},
		{"every other one", `{"a":1,"b":2,"c":3,"d":4,"e":5}`, []string{"b", "d"}, `{"a":1,"c":3,"e":5}`},
		{"all", `{"a":1,"b":2}`, []string{"a", "b"}, `{}`},
		{"the only member", ` { "a" : 1 } `, []string{"a"}, ` {  } `},
		{"white space at the beginning", "{ \"a\" : 1 ,\n \"b\" : 2 }", []string{"a"}, "{ \"b\" : 2 }"},
		{"white space in the middle", "{ \"a\" : 1 ,\r\n\t\"b\" : 2 , \"c\" : 3 }", []string{"b"}, "{ \"a\" : 1 , \"c\" : 3 }"},
		{"white space at the end", "{ \"a\" : 1 ,\n\"b\" : 2\n}\n", []string{"b"}, "{ \"a\" : 1\n}\n"},
		{"an escaped name", `{"visitor":{"\u0069\u0070":"x","id":1}}`, []string{"visitor.ip"}, `{"visitor":{"id":1}}`},
		{"a name with an escaped quote", `{"a\"b":1,"c":2}`, []string{`a"b`}, `{"c":2}`},
		{"a name beyond ASCII", `{"größe":1,"gr\u00f6\u00dfe":2,"c":3}`, []string{"größe"}, `{"c":3}`},
		{"a name in another case is another name", `{"IP":1,"ip":2}`, []string{"ip"}, `{"IP":1}`},
		{"a repeated name", `{"ip":1,"a":2,"ip":3,"\u0069p":4}`, []string{"ip"}, `{"a":2}`},
		{"a repeated name on the way", `{"v":{"ip":1},"v":{"ip":2,"a":3},"v":4}`, []string{"v.ip"}, `{"v":{},"v":{"a":3},"v":4}`},
		{"each kind of value", `{"a":"x,}\"]","a":[1,{"b":2}],"a":{"b":[]},"a":-1.5e3,"a":true,"a":null,"b":0}`, []string{"a"}, `{"b":0}`},
		{"deep down", `{"a":{"b":{"c":1,"d":2},"c":3},"c":4}`, []string{"a.b.c"}, `{"a":{"b":{"d":2},"c":3},"c":4}`},
		{"the same name at another place stays", `{"visitor":{"ip":1},"ip":2}`, []string{"visitor.ip"}, `{"visitor":{},"ip":2}`},
		{"inside an array", `{"a":[{"b":1,"c":2}, 3 ,{"b":4}, {"c":5} ]}`, []string{"a.b"}, `{"a":[{"c":2}, 3 ,{}, {"c":5} ]}`},
		{"inside arrays of arrays", `{"a":[[],[[{"b":[1,2]}],"b"],{"b":3,"x":[]}]}`, []string{"a.b"}, `{"a":[[],[[{}],"b"],{"x":[]}]}`},
		{"a top that is an array", ` [ {"a":1} , {"b":2} ] `, []string{"a"}, ` [ {} , {"b":2} ] `},
		{"a path that begins another", `{"a":{"b":1},"c":2}`, []string{"a.b", "a"}, `{"c":2}`},
		{"two paths into one object", `{"a":{"b":1,"c":2,"d":3}}`, []string{"a.b", "a.d"}, `{"a":{"c":2}}`},
		{"a path given twice", `{"a":1,"b":2}`, []string{"a", "a"}, `{"b":2}`},
		{"a path that leads nowhere", `{"a":{"b":1},"c":"ip"}`, []string{"x", "a.x", "a.b.c", "c.ip", "a.b.", ".a"}, `{"a":{"b":1},"c":"ip"}`},
		{"a name with a dot cannot be named", `{"a.b":1}`, []string{"a.b"}, `{"a.b":1}`},
		{"nothing at all", `{}`, []string{"a"}, `{}`},
		{"no paths", `{"a" : 1}`, nil, `{"a" : 1}`},
		{"no object", `"ip"`, []string{"ip"}, `"ip"`},
		{"awkward bytes beside it", `{"n":12345678901234567890123.4500,"ip":1,"s":"& < > \u2028 🚀"}`, []string{"ip"}, `{"n":12345678901234567890123.4500,"s":"& < > \u2028 🚀"}`},
		{"what is not JSON", `{"ip":1`, []string{"ip"}, `null`},
		{"what is more than JSON", `{"a":1}{"ip":1}`, []string{"ip"}, `null`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			give := []byte(tt.give)
			require.Equal(t, tt.want, string(Redact(give, tt.givePaths)))
			require.Equal(t, tt.give, string(give), "the event itself is not written to")
		})
	}
}

// An attempt must not be held up by an event that is deep or wide.
func TestRedactGoesThroughDeepArraysOnce(t *testing.T) {
	t.Parallel()
	const depth, width = 5000, 100_000
	give := `{"a":` + strings.Repeat("[", depth) + strings.Repeat(`{"b":1},`, width) + `0` + strings.Repeat("]", depth) + `}`
	want := `{"a":` + strings.Repeat("[", depth) + strings.Repeat(`{},`, width) + `0` + strings.Repeat("]", depth) + `}`
	require.Equal(t, want, string(Redact([]byte(give), []string{"a.b"})))
}

// Not parallel, because AllocsPerRun counts the allocations of all tests.
func TestRedactAllocatesNothingWhenNothingIsToBeRemoved(t *testing.T) {
	event, paths := []byte(documentedEvent), []string{"visitor.ip", "visitor.cookies"}
	require.Zero(t, testing.AllocsPerRun(100, func() { _ = Redact(event, paths) }))
}

// FuzzRedact compares with a decoder that knows nothing of Redact: what it reads out of the result
// is what it reads out of the event, without what the paths lead to.
func FuzzRedact(f *testing.F) {
	for _, seed := range []string{
		documentedEvent, awkward, `{"a":[{"b":1,"c":[{"b":2}]}],"\u0061":{"b":null,"b":3},"b":{"a":{"b":4}}}`, `[]`, `{"a":{}}`, ` [ [ { "b" : 1 } , 2 ] ] `,
	} {
		f.Add([]byte(seed), "a.b", "b")
	}
	f.Add([]byte(`{"eventId":"1","visitor":{"ip":"203.0.113.7","cookies":{"a":"b"}},"url":"x"}`), "visitor.ip", "visitor.cookies")
	f.Fuzz(func(t *testing.T, event []byte, first, second string) {
		paths := []string{first, second}
		got := Redact(event, paths)
		require.True(t, json.Valid(got))
		if !json.Valid(event) {
			require.Equal(t, "null", string(got))
			return
		}
		require.LessOrEqual(t, len(got), len(event))
		require.Equal(t, got, Redact(got, paths), "nothing is left to be removed")
		require.Equal(t, readTokens(t, event, paths), readTokens(t, got, nil))
	})
}

// readTokens is what a decoder reads, in order and with repeated members, without the members that
// the paths lead to.
func readTokens(t *testing.T, data []byte, paths []string) []string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var read []string
	var value func(at []string, keep bool)
	next := func() json.Token {
		token, err := decoder.Token()
		require.NoError(t, err)
		return token
	}
	value = func(at []string, keep bool) {
		add := func(text string) {
			if keep {
				read = append(read, text)
			}
		}
		token := next()
		add(fmt.Sprintf("%T %v", token, token))
		if token != json.Delim('{') && token != json.Delim('[') {
			return
		}
		for decoder.More() {
			if token == json.Delim('[') {
				value(at, keep)
				continue
			}
			name := next().(string)
			below := append(slices.Clone(at), name)
			stays := keep && !slices.ContainsFunc(paths, func(path string) bool { return slices.Equal(strings.Split(path, "."), below) })
			if stays {
				add("name " + name)
			}
			value(below, stays)
		}
		add(fmt.Sprint(next()))
	}
	value(nil, true)
	return read
}
