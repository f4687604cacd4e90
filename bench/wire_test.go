package main

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadRequest(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, give string
		want       request
		wantError  string
	}{
		{
			name: "a webhook",
			give: "POST /fast HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 12\r\nWebhook-Id: evt_1 with a blank\r\n\r\n{}",
			want: request{head{"POST /fast HTTP/1.1", "evt_1 with a blank", 12, false}, "/fast"},
		},
		{
			name: "fields in any case, spaced as they like",
			give: "POST /fast?token=1 HTTP/1.1\r\ncontent-length:0\r\nWEBHOOK-ID:\t evt_1 \r\nCONNECTION: Close\r\n\r\n",
			want: request{head{"POST /fast?token=1 HTTP/1.1", "evt_1", 0, true}, "/fast"},
		},
		{
			name: "no body",
			give: "POST / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n",
			want: request{head{first: "POST / HTTP/1.1"}, "/"},
		},
		{name: "nothing", wantError: "EOF"},
		{name: "half a line", give: "POST /", wantError: "unexpected EOF"},
		{name: "half a head", give: "POST / HTTP/1.1\r\nHost: a\r\n", wantError: "unexpected EOF"},
		{name: "another method", give: "GET / HTTP/1.1\r\n\r\n", wantError: `the request "GET / HTTP/1.1" is not understood`},
		{name: "another version", give: "POST / HTTP/1.0\r\n\r\n", wantError: `the request "POST / HTTP/1.0" is not understood`},
		{name: "too short", give: "POST HTTP/1.1\r\n\r\n", wantError: `the request "POST HTTP/1.1" is not understood`},
		{name: "empty lines", give: "\r\n\r\n", wantError: `the request "" is not understood`},
		{name: "no field", give: "POST / HTTP/1.1\r\nHost\r\n\r\n", wantError: `the header field "Host" is not understood`},
		{name: "a negative length", give: "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", wantError: `the Content-Length "-1" is not understood`},
		{name: "a huge length", give: "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", wantError: `the Content-Length "99999999999999999999" is not understood`},
		{
			name: "chunks", give: "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			wantError: `the Transfer-Encoding "chunked" is not understood, only bodies with a Content-Length are`,
		},
		{name: "a line without end", give: "POST /" + strings.Repeat("a", wireBuffer), wantError: "bufio: buffer full"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := readRequest(bufio.NewReaderSize(strings.NewReader(tt.give), wireBuffer))
			if tt.wantError != "" {
				require.EqualError(t, err, tt.wantError)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestReadReply(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, give string
		want       reply
		wantError  string
		// wantRest is what the next answer would be read from.
		wantRest string
	}{
		{
			name: "a body", give: "HTTP/1.1 200 OK\r\nCourier-Delivery: evt_1@fast\r\nContent-Length: 2\r\n\r\nOKHTTP",
			want: reply{head{first: "HTTP/1.1 200 OK", length: 2}, 200}, wantRest: "HTTP",
		},
		{
			name: "the last one", give: "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
			want: reply{head{first: "HTTP/1.1 503 Service Unavailable", last: true}, 503},
		},
		{
			name: "no reason", give: "HTTP/1.1 204\r\n\r\n",
			want: reply{head{first: "HTTP/1.1 204"}, 204},
		},
		{name: "nothing", wantError: "EOF"},
		{name: "half a head", give: "HTTP/1.1 200 OK\r\n", wantError: "unexpected EOF"},
		{name: "half a body", give: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nOK", wantError: `the body of the answer "HTTP/1.1 200 OK": EOF`},
		{name: "a body without length", give: "HTTP/1.1 200 OK\r\n\r\nOK", wantError: `the answer "HTTP/1.1 200 OK" has no Content-Length`},
		{name: "not the answer yet", give: "HTTP/1.1 100 Continue\r\n\r\n", wantError: `the answer "HTTP/1.1 100 Continue" is not understood`},
		{name: "another version", give: "HTTP/2 200\r\n\r\n", wantError: `the answer "HTTP/2 200" is not understood`},
		{name: "no number", give: "HTTP/1.1 OK\r\n\r\n", wantError: `the answer "HTTP/1.1 OK" is not understood`},
		{name: "another protocol", give: "220 mail.example ready\r\n\r\n", wantError: `the answer "220 mail.example ready" is not understood`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			reader := bufio.NewReaderSize(strings.NewReader(tt.give), wireBuffer)
			got, err := readReply(reader)
			if tt.wantError != "" {
				require.EqualError(t, err, tt.wantError)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
			rest, err := io.ReadAll(reader)
			require.NoError(t, err)
			require.Equal(t, tt.wantRest, string(rest))
		})
	}
}
