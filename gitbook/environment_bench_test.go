package gitbook

import "testing"

func BenchmarkParseEnvironment(b *testing.B) {
	give := []byte(environment)
	b.ReportAllocs()
	b.SetBytes(int64(len(give)))
	for b.Loop() {
		if _, err := ParseEnvironment(give); err != nil {
			b.Fatal(err)
		}
	}
}
