package gitbook

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	sentAt := time.Unix(1735689600, 0)
	const body = awkward
	tests := []struct {
		name         string
		giveVerifier Verifier
		giveHeader   string
		giveBody     io.Reader
		wantStatus   int
		wantBody     string
	}{
		{
			name: "genuine", giveVerifier: Verifier{Secrets: []string{"secret"}},
			giveHeader: Sign(sentAt, []byte(body), "secret"), giveBody: strings.NewReader(body),
			wantStatus: 202, wantBody: body,
		},
		{
			name: "genuine, in chunks", giveVerifier: Verifier{Secrets: []string{"secret"}},
			giveHeader: Sign(sentAt, []byte(body), "secret"), giveBody: iotest.HalfReader(strings.NewReader(body)),
			wantStatus: 202, wantBody: body,
		},
		{
			name: "exactly as large as the limit", giveVerifier: Verifier{Secrets: []string{"secret"}, MaxBodyBytes: 5},
			giveHeader: Sign(sentAt, []byte("12345"), "secret"), giveBody: strings.NewReader("12345"),
			wantStatus: 202, wantBody: "12345",
		},
		{
			name: "larger than the limit", giveVerifier: Verifier{Secrets: []string{"secret"}, MaxBodyBytes: 4},
			giveHeader: Sign(sentAt, []byte("12345"), "secret"), giveBody: strings.NewReader("12345"),
			wantStatus: 413, wantBody: `{"error":"the body is too large"}` + "\n",
		},
		{
			name: "larger than the default limit", giveVerifier: Verifier{Secrets: []string{"secret"}},
			giveHeader: Sign(sentAt, nil, "secret"), giveBody: strings.NewReader(strings.Repeat("x", 1<<20+1)),
			wantStatus: 413, wantBody: `{"error":"the body is too large"}` + "\n",
		},
		{
			name: "unsigned", giveVerifier: Verifier{Secrets: []string{"secret"}}, giveBody: strings.NewReader(body),
			wantStatus: 401, wantBody: `{"error":"the signature is missing; send it in X-GitBook-Signature"}` + "\n",
		},
		{
			name: "signed with another secret", giveVerifier: Verifier{Secrets: []string{"secret"}},
			giveHeader: Sign(sentAt, []byte(body), "other"), giveBody: strings.NewReader(body),
			wantStatus: 401, wantBody: `{"error":"the signature does not match"}` + "\n",
		},
		{
			name: "recorded and sent again", giveVerifier: Verifier{Secrets: []string{"secret"}},
			giveHeader: Sign(sentAt.Add(-time.Hour), []byte(body), "secret"), giveBody: strings.NewReader(body),
			wantStatus: 401, wantBody: `{"error":"the signature is too old"}` + "\n",
		},
		{
			name: "cut off", giveVerifier: Verifier{Secrets: []string{"secret"}},
			giveHeader: Sign(sentAt, []byte(body), "secret"),
			giveBody:   io.MultiReader(strings.NewReader(body), iotest.ErrReader(errors.New("internal"))),
			wantStatus: 400, wantBody: `{"error":"the body cannot be read"}` + "\n",
		},
		{
			name: "no secret", giveHeader: Sign(sentAt, []byte(body), ""), giveBody: strings.NewReader(body),
			wantStatus: 500, wantBody: `{"error":"the verifier has no secret"}` + "\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.giveVerifier.Now = func() time.Time { return sentAt }
			called := false
			var read []byte
			var readErr error
			var contentLength int64
			handler := tt.giveVerifier.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				called = true
				read, readErr = io.ReadAll(r.Body)
				contentLength = r.ContentLength
				w.WriteHeader(http.StatusAccepted)
				_, _ = w.Write(read)
			}))
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", tt.giveBody)
			request.Header.Set("x-gitbook-signature", tt.giveHeader)
			before := request.Body

			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)

			require.Equal(t, tt.wantStatus, recorder.Code)
			require.Equal(t, tt.wantBody, recorder.Body.String())
			require.Equal(t, tt.wantStatus == http.StatusAccepted, called)
			require.NoError(t, readErr)
			require.Equal(t, int64(len(read)), contentLength)
			require.Equal(t, before, request.Body) // The caller's request is left alone.
			if !called {
				require.Equal(t, "application/json", recorder.Header().Get("Content-Type"))
			}
		})
	}
}
