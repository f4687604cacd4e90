package body_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/starter/body"
	"github.com/gitbook-courier/courier/starter/respond"
)

func TestReadAll(t *testing.T) {
	t.Parallel()
	anything := body.Rules{MaxBytes: 4}
	asJSON := body.Rules{MaxBytes: 4, Key: "max_body_bytes", MediaType: "application/json"}
	tests := []struct {
		name       string
		giveRules  body.Rules
		giveHeader http.Header
		giveLength int64
		giveBody   io.Reader
		want       string // the body, or the error
		wantStatus int    // 0 without an error
	}{
		{"all", anything, nil, 4, strings.NewReader("abcd"), "abcd", 0},
		{"empty", anything, nil, 0, strings.NewReader(""), "", 0},
		{"in chunks", anything, nil, -1, strings.NewReader("abcd"), "abcd", 0},
		{"media type", asJSON, http.Header{"Content-Type": {"Application/JSON; charset=utf-8"}}, 2, strings.NewReader("{}"), "{}", 0},
		{"not compressed", anything, http.Header{"Content-Encoding": {"Identity"}}, 2, strings.NewReader("{}"), "{}", 0},
		{"announces too much", anything, nil, 5, iotest.ErrReader(errors.New("read")), "body is larger than 4 bytes", 413},
		{
			"sends too much", asJSON,
			http.Header{"Content-Type": {"application/json"}},
			-1, strings.NewReader("abcde"),
			"body is larger than 4 bytes (max_body_bytes)", 413,
		},
		{
			"stalls", anything, nil, 4, io.MultiReader(strings.NewReader("a"), iotest.ErrReader(os.ErrDeadlineExceeded)),
			"the body did not arrive in time; send it again", 408,
		},
		{
			"breaks off", anything, nil, 4, io.MultiReader(strings.NewReader("a"), iotest.ErrReader(io.ErrUnexpectedEOF)),
			"the body breaks off, or its chunks are broken", 400,
		},
		{"no media type", asJSON, nil, 2, strings.NewReader("{}"), "Content-Type must be application/json", 415},
		{
			"another media type", asJSON,
			http.Header{"Content-Type": {"text/plain"}},
			2, strings.NewReader("{}"),
			"Content-Type must be application/json", 415,
		},
		{
			"compressed", anything,
			http.Header{"Content-Encoding": {"identity", "gzip"}},
			2, strings.NewReader("{}"),
			"Content-Encoding is not supported; send the body as it is", 415,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", new(bytes.Buffer))
			r.Header, r.ContentLength, r.Body = tt.giveHeader, tt.giveLength, io.NopCloser(tt.giveBody)
			data, err := tt.giveRules.ReadAll(httptest.NewRecorder(), r)
			if tt.wantStatus == 0 {
				require.NoError(t, err)
				require.Equal(t, tt.want, string(data))
				return
			}
			require.Equal(t, respond.NewError(tt.wantStatus, tt.want), err)
		})
	}
}
