package activities

import (
	"context"
	"net/http"
	"net/url"
	"testing"
)

func BenchmarkClassify(b *testing.B) {
	tests := []struct {
		name       string
		giveStatus int
		giveHeader http.Header
		giveError  error
	}{
		{name: "delivered", giveStatus: http.StatusOK},
		{
			name: "unavailable with a date to wait for", giveStatus: http.StatusServiceUnavailable,
			giveHeader: http.Header{"Retry-After": {"Wed, 04 Mar 2026 12:00:30 GMT"}},
		},
		{name: "timeout", giveError: &url.Error{Op: "Post", URL: "https://example.com/", Err: context.DeadlineExceeded}},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				classify(tt.giveStatus, tt.giveHeader, tt.giveError, noon)
			}
		})
	}
}
