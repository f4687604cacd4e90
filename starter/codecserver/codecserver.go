// Package codecserver decrypts payloads for the Temporal UI and the temporal command, by Temporal's
// codec server protocol. It knows neither the keys nor what the payloads mean.
package codecserver

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/gitbook-courier/courier/starter/body"
	"github.com/gitbook-courier/courier/starter/respond"
)

// Paths are the routes, for a mux.Router. Temporal's tools are given an endpoint, such as /codec
// or, to tell namespaces apart, /codec/{namespace}, and append /decode or /encode.
var Paths = []string{"/codec/decode", "/codec/encode", "/codec/{namespace:.+}/decode", "/codec/{namespace:.+}/encode"}

// requestBody is the body of both routes. Its payloads are those of one message from Temporal,
// which has at most 4 MiB; here they are in base64.
var requestBody = body.Rules{MediaType: "application/json", MaxBytes: 8 << 20}

// allowedHeaders are the request headers that the Temporal UI sends.
const allowedHeaders = "Authorization, Authorization-Extras, Content-Type, X-Namespace"

// preflightSeconds is how long a browser may cache the answer to a preflight.
const preflightSeconds = "600"

// Server serves the routes.
type Server struct {
	payloads converter.PayloadCodec
	origins  []string
	log      *slog.Logger
}

// NewServer makes the routes' handlers. The caller sees the text of an error of payloads.Decode.
// Pages of the origins, such as https://temporal.example.com, may call from a browser; other pages
// may not, except those of the origin that serves the routes. It does no I/O.
func NewServer(payloads converter.PayloadCodec, origins []string, log *slog.Logger) *Server {
	return &Server{payloads: payloads, origins: origins, log: log}
}

// Handler serves the routes, POST …/decode and …/encode, whatever comes before: the protocol leaves
// the prefix to the operator. guard decides who may call, and is asked for everything but a
// browser's preflight.
func (s *Server) Handler(guard func(http.Handler) http.Handler) http.Handler {
	decode := s.route(guard, s.decode)
	encode := s.route(guard, s.payloads.Encode)
	notFound := respond.NotFound(s.log)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:] {
		case "decode":
			decode.ServeHTTP(w, r)
		case "encode":
			encode.ServeHTTP(w, r)
		default:
			notFound.ServeHTTP(w, r)
		}
	})
}

// decode decrypts payloads. Those that are not encrypted come back as they are.
func (s *Server) decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded, err := s.payloads.Decode(payloads)
	if err != nil {
		return nil, respond.NewError(http.StatusBadRequest, err.Error())
	}
	return decoded, nil
}

func (s *Server) route(guard func(http.Handler) http.Handler, convert func([]*commonpb.Payload) ([]*commonpb.Payload, error)) http.Handler {
	return s.allow(respond.Methods(s.log, map[string]http.Handler{
		http.MethodOptions: respond.Handle(s.log, s.preflight),
		http.MethodPost: guard(respond.Handle(s.log, func(w http.ResponseWriter, r *http.Request) error {
			given, err := read(w, r)
			if err != nil {
				return err
			}
			payloads, err := convert(given)
			if err != nil {
				return err
			}
			answer, err := protojson.Marshal(&commonpb.Payloads{Payloads: payloads})
			if err != nil {
				return err
			}
			w.Header().Set("Cache-Control", "no-store")
			respond.JSON(w, http.StatusOK, json.RawMessage(answer))
			return nil
		})),
	}))
}

// allow lets pages of the origins read the answers of next, and makes their requests look like the
// starter's own.
func (s *Server) allow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(s.origins, origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			// These two would make the guard refuse the page as another site's.
			r = r.Clone(r.Context())
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
		}
		next.ServeHTTP(w, r)
	})
}

// preflight answers a browser's preflight request, which carries no token.
func (s *Server) preflight(w http.ResponseWriter, _ *http.Request) error {
	h := w.Header()
	if h.Get("Access-Control-Allow-Origin") == "" {
		return respond.NewError(http.StatusForbidden, "the page's origin is not one of ui_origins")
	}
	h.Set("Access-Control-Allow-Methods", http.MethodPost)
	h.Set("Access-Control-Allow-Headers", allowedHeaders)
	h.Set("Access-Control-Max-Age", preflightSeconds)
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// read reads temporal.api.common.v1.Payloads in the JSON of Protocol Buffers. It ignores fields
// that it does not know: newer tools may send more.
func read(w http.ResponseWriter, r *http.Request) ([]*commonpb.Payload, error) {
	data, err := requestBody.ReadAll(w, r)
	if err != nil {
		return nil, err
	}
	var payloads commonpb.Payloads
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, &payloads); err != nil {
		return nil, respond.NewError(http.StatusBadRequest, `the body is not {"payloads":[…]} as Temporal's tools send it`)
	}
	return payloads.GetPayloads(), nil
}
