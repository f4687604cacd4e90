package gitbook

import (
	"strings"
	"testing"
)

// The largest bodies that are accepted must not cost more than their reading.
func BenchmarkParseLargeRuntimeRequest(b *testing.B) {
	event := strings.Replace(documentedEvent, `"type"`, `"padding":"`+strings.Repeat("x", DefaultMaxBodyBytes)+`","type"`, 1)
	body := form(field("event", event), field("environment", environment))
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, err := ParseRuntimeRequest(formType, strings.NewReader(body)); err != nil {
			b.Fatal(err)
		}
	}
}
