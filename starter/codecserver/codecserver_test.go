package codecserver_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/internal/codec"
	"github.com/gitbook-courier/courier/internal/seal"
	"github.com/gitbook-courier/courier/starter/access"
	"github.com/gitbook-courier/courier/starter/codecserver"
)

const (
	token    = "dG9rZW4gZm9yIHRlc3RzIG9ubHksIDMyIGJ5dGVzISE"
	uiOrigin = "https://temporal.example.com"
)

// plain is a payload as Temporal's tools write it: of {"a":"<&>"}.
const plain = `{"metadata":{"encoding":"anNvbi9wbGFpbg=="},"data":"eyJhIjoiPCY+In0="}`

func newCodec(t *testing.T, fill byte) *codec.Codec {
	t.Helper()
	keys, err := seal.NewKeyring(bytes.Repeat([]byte{fill}, seal.KeySize))
	require.NoError(t, err)
	return codec.New(keys, true)
}

// serve is the routes, whose answers are compared with the API's description.
func serve(t *testing.T, tokens ...string) http.Handler {
	t.Helper()
	return apitest.Validate(t, newHandler(t, tokens...))
}

func newHandler(t *testing.T, tokens ...string) http.Handler {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	server := codecserver.NewServer(newCodec(t, 1), []string{uiOrigin, "http://127.0.0.1:8233"}, log)
	guard := func(next http.Handler) http.Handler {
		return access.Require(log, tokens, access.APIKeys, next)
	}
	return server.Handler(guard)
}

func request(t *testing.T, method, path, body string, header ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8080"
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func do(handler http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w
}

func TestEncodeAndDecode(t *testing.T) {
	t.Parallel()
	handler := serve(t)
	encoded := do(handler, request(t, http.MethodPost, "/codec/encode", `{"payloads":[`+plain+`]}`))
	require.Equal(t, http.StatusOK, encoded.Code, encoded.Body)
	require.Contains(t, encoded.Body.String(), `"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="`) // binary/encrypted
	require.NotContains(t, encoded.Body.String(), "eyJhIj")

	// As the Temporal UI asks, with one that was never encrypted.
	mixed := strings.Replace(encoded.Body.String(), `{"payloads":[`, `{"payloads":[`+plain+`,`, 1)
	decoded := do(handler, request(t, http.MethodPost, "/codec/decode?preserveStorageRefs=true", mixed, "X-Namespace", "default"))
	require.Equal(t, http.StatusOK, decoded.Code, decoded.Body)
	require.JSONEq(t, `{"payloads":[`+plain+`,`+plain+`]}`, decoded.Body.String())
	require.Equal(t, "application/json", decoded.Header().Get("Content-Type"))
	require.Equal(t, "no-store", decoded.Header().Get("Cache-Control"))
}

// The SDK's own client of the protocol.
func TestSDKClient(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(serve(t, token))
	t.Cleanup(server.Close)
	remote := converter.NewRemotePayloadCodec(converter.RemotePayloadCodecOptions{
		Endpoint: server.URL + "/codec",
		ModifyRequest: func(r *http.Request) error {
			r.Header.Set("Authorization", "Bearer "+token)
			return nil
		},
	})
	given := &commonpb.Payload{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: []byte(`"a"`)}
	encoded, err := remote.Encode([]*commonpb.Payload{given})
	require.NoError(t, err)
	require.Equal(t, "binary/encrypted", string(encoded[0].GetMetadata()["encoding"]))
	decoded, err := remote.Decode(encoded)
	require.NoError(t, err)
	require.Equal(t, `"a"`, string(decoded[0].GetData()))
}

func TestRefused(t *testing.T) {
	t.Parallel()
	handler := serve(t)
	other, err := newCodec(t, 2).Encode([]*commonpb.Payload{{Data: []byte("x")}})
	require.NoError(t, err)
	unknown, err := protojson.Marshal(&commonpb.Payloads{Payloads: other})
	require.NoError(t, err)
	corrupt := `{"payloads":[` + plain + `,{"metadata":{"encoding":"YmluYXJ5L2VuY3J5cHRlZA=="},"data":"AAAA"}]}`
	const notPayloads = `{"error":"the body is not {\"payloads\":[…]} as Temporal's tools send it"}`

	compressed := request(t, "POST", "/codec/decode", `{}`, "Content-Encoding", "gzip")
	tests := []struct {
		name       string
		give       *http.Request
		wantStatus int
		wantBody   string
	}{
		{"compressed", compressed, 415, `{"error":"Content-Encoding is not supported; send the body as it is"}`},
		{"another name", request(t, "POST", "/codec/default/transcode", `{}`), 404, `{"error":"no such route"}`},
		{"no name", request(t, "POST", "/codec/decode/", `{}`), 404, `{"error":"no such route"}`},
		{"key missing", request(t, "POST", "/codec/decode", string(unknown)), 400, `{"error":"the key of an encrypted payload is missing; put it back into sealing_keys"}`},
		{"corrupt", request(t, "POST", "/codec/decode", corrupt), 400, `{"error":"an encrypted payload is corrupt, or was not encrypted by Courier"}`},
		{"no JSON", request(t, "POST", "/codec/decode", `{`), 400, notPayloads},
		{"no body", request(t, "POST", "/codec/encode", ``), 400, notPayloads},
		{"an array", request(t, "POST", "/codec/encode", `[]`), 400, notPayloads},
		{"no base64", request(t, "POST", "/codec/encode", `{"payloads":[{"data":"?"}]}`), 400, notPayloads},
		{"too large", request(t, "POST", "/codec/decode", strings.Repeat(" ", 8<<20+1)), 413, `{"error":"body is larger than 8388608 bytes"}`},
		{"a form", request(t, "POST", "/codec/decode", `{}`, "Content-Type", "text/plain"), 415, `{"error":"Content-Type must be application/json"}`},
		{"GET", request(t, "GET", "/codec/decode", ``), 405, `{"error":"method not allowed; use OPTIONS, POST"}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := do(handler, tt.give)
			require.Equal(t, tt.wantStatus, w.Code)
			require.Equal(t, tt.wantBody, w.Body.String())
		})
	}
}

func TestUnknownFieldsAreIgnored(t *testing.T) {
	t.Parallel()
	w := do(serve(t), request(t, http.MethodPost, "/codec/decode", `{"payloads":[],"later":{"x":1}}`))
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{}`, w.Body.String())
}

// Temporal's tools can put the namespace, or anything else, before the names of the two routes.
func TestEveryPrefix(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/codec", "/codec/default", "/codec/my.namespace%2Fx", "/codec/a/b"} {
		handler := serve(t, token)
		if prefix == "/codec/a/b" {
			handler = newHandler(t, token) // OpenAPI cannot describe a parameter with a slash
		}
		r := request(t, http.MethodPost, prefix+"/encode", `{"payloads":[`+plain+`]}`, "Authorization", "Bearer "+token)
		encoded := do(handler, r)
		require.Equal(t, http.StatusOK, encoded.Code, prefix)
		require.NotContains(t, encoded.Body.String(), "eyJhIj")
		r = request(t, http.MethodPost, prefix+"/decode", encoded.Body.String(), "Authorization", "Bearer "+token)
		decoded := do(handler, r)
		require.Equal(t, http.StatusOK, decoded.Code, prefix)
		require.JSONEq(t, `{"payloads":[`+plain+`]}`, decoded.Body.String())

		require.Equal(t, 401, do(handler, request(t, http.MethodPost, prefix+"/decode", `{}`)).Code, prefix)
		preflight := request(t, http.MethodOptions, prefix+"/decode", "", "Origin", uiOrigin, "Access-Control-Request-Method", "POST")
		require.Equal(t, 204, do(handler, preflight).Code, prefix)
	}
}

func TestTokens(t *testing.T) {
	t.Parallel()
	handler := serve(t, token)
	tests := []struct {
		name              string
		giveAuthorization string
		want              int
	}{
		{"none", "", 401},
		{"another", "Bearer " + token[1:], 401},
		{"bearer", "Bearer " + token, 200},
		{"basic", "Basic eDpkRzlyWlc0Z1ptOXlJSFJsYzNSeklHOXViSGtzSURNeUlHSjVkR1Z6SVNF", 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/codec/decode", "/codec/encode"} {
				r := request(t, http.MethodPost, path, `{}`)
				if tt.giveAuthorization != "" {
					r.Header.Set("Authorization", tt.giveAuthorization)
				}
				require.Equal(t, tt.want, do(handler, r).Code)
			}
		})
	}
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, give string
		want       int
	}{
		{"listed", uiOrigin, 204},
		{"the other one", "http://127.0.0.1:8233", 204},
		{"none", "", 403},
		{"null", "null", 403},
		{"another scheme", "http://temporal.example.com", 403},
		{"another port", uiOrigin + ":8443", 403},
		{"longer", uiOrigin + ".evil.example", 403},
		{"subdomain", "https://a.temporal.example.com", 403},
		{"another case", "https://Temporal.example.com", 403},
		{"another name of the host", "http://localhost:8233", 403},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// Without a token, as browsers ask.
			w := do(serve(t, token), request(t, http.MethodOptions, "/codec/decode", "", "Origin", tt.give,
				"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-namespace", "Sec-Fetch-Site", "cross-site"))
			require.Equal(t, tt.want, w.Code)
			require.Equal(t, "Origin", w.Header().Get("Vary"))
			if tt.want != 204 {
				require.Equal(t, `{"error":"the page's origin is not one of ui_origins"}`, w.Body.String())
				require.Empty(t, w.Header().Get("Access-Control-Allow-Origin"))
				require.Empty(t, w.Header().Get("Access-Control-Allow-Credentials"))
				return
			}
			require.Equal(t, tt.give, w.Header().Get("Access-Control-Allow-Origin"))
			require.Equal(t, "true", w.Header().Get("Access-Control-Allow-Credentials"))
			require.Equal(t, "POST", w.Header().Get("Access-Control-Allow-Methods"))
			require.Equal(t, "Authorization, Authorization-Extras, Content-Type, X-Namespace", w.Header().Get("Access-Control-Allow-Headers"))
			require.Equal(t, "600", w.Header().Get("Access-Control-Max-Age"))
		})
	}
}

func TestRequestsOfPages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                 string
		giveOrigin, giveSite string
		giveToken            bool
		want                 int
		wantAllowed          bool
	}{
		{"a listed origin", uiOrigin, "cross-site", true, 200, true},
		{"a listed origin without the token", uiOrigin, "cross-site", false, 401, true},
		{"the very origin", "http://127.0.0.1:8080", "same-origin", true, 200, false},
		{"another origin", "https://evil.example", "cross-site", true, 403, false},
		{"another port", "http://127.0.0.1:8234", "same-site", true, 403, false},
		{"another origin in an old browser", "https://evil.example", "", true, 403, false},
		{"no browser", "", "", true, 200, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := request(t, http.MethodPost, "/codec/decode", `{}`)
			for name, value := range map[string]string{"Origin": tt.giveOrigin, "Sec-Fetch-Site": tt.giveSite} {
				if value != "" {
					r.Header.Set(name, value)
				}
			}
			if tt.giveToken {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			w := do(serve(t, token), r)
			require.Equal(t, tt.want, w.Code, w.Body)
			allowed := ""
			if tt.wantAllowed {
				allowed = tt.giveOrigin
			}
			require.Equal(t, allowed, w.Header().Get("Access-Control-Allow-Origin"))
		})
	}
}
