// Package codecserver is the HTTP room where the Temporal UI and Temporal's command
// line have payloads decrypted: Temporal's codec server protocol. It knows
// neither keys nor what payloads hold.
package codecserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"os"
	"slices"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/gitbook-courier/courier/starter/respond"
)

// The routes. Temporal's tools are given "/codec", and append the rest.
const (
	DecodePath = "/codec/decode"
	EncodePath = "/codec/encode"
)

// maxBodyBytes bounds a request. Its payloads are those of one message from
// Temporal, which has at most 4 MiB; here they are in base64.
const maxBodyBytes = 8 << 20

// allowedHeaders are those that the Temporal UI sends.
const allowedHeaders = "Authorization, Authorization-Extras, Content-Type, X-Namespace"

// preflightSeconds is for how long a browser may remember what is allowed.
const preflightSeconds = "600"

// Server serves the routes.
type Server struct {
	payloads converter.PayloadCodec
	origins  []string
	log      *slog.Logger
}

// NewServer makes the routes' handlers. What payloads.Decode returns as an
// error is shown to the caller. The pages of origins, such as
// https://temporal.example.com, may call from a browser; others may not,
// except those of the very origin that serves the routes. It does no I/O.
func NewServer(payloads converter.PayloadCodec, origins []string, log *slog.Logger) *Server {
	return &Server{payloads: payloads, origins: origins, log: log}
}

// Decode serves POST /codec/decode. Payloads that are not encrypted come back
// as they are. guard, which is for the caller to bring, is asked for all but
// the question whether a browser may send a request.
func (s *Server) Decode(guard func(http.Handler) http.Handler) http.Handler {
	return s.route(guard, func(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
		decoded, err := s.payloads.Decode(payloads)
		if err != nil {
			return nil, respond.NewError(http.StatusBadRequest, err.Error())
		}
		return decoded, nil
	})
}

// Encode serves POST /codec/encode, by which the tools have payloads made as
// Courier would. guard is as for Decode.
func (s *Server) Encode(guard func(http.Handler) http.Handler) http.Handler {
	return s.route(guard, func(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
		return s.payloads.Encode(payloads)
	})
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
			body, err := protojson.Marshal(&commonpb.Payloads{Payloads: payloads})
			if err != nil {
				return err
			}
			w.Header().Set("Cache-Control", "no-store")
			respond.JSON(w, http.StatusOK, json.RawMessage(body))
			return nil
		})),
	}))
}

// allow lets the pages of the origins read what next answers, and send requests
// as if they were of the starter's own origin.
func (s *Server) allow(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Vary", "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(s.origins, origin) {
			w.Header().Set("Access-Control-Allow-Origin", origin)
			w.Header().Set("Access-Control-Allow-Credentials", "true")
			// By these two the guard would tell that the page is another site's.
			r = r.Clone(r.Context())
			r.Header.Del("Origin")
			r.Header.Del("Sec-Fetch-Site")
		}
		next.ServeHTTP(w, r)
	})
}

// preflight answers a browser's question whether a page may send a request. A
// browser asks without a token.
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

// read reads temporal.api.common.v1.Payloads in the JSON of Protocol Buffers.
// Fields that are not known are passed over: newer tools may send more.
func read(w http.ResponseWriter, r *http.Request) ([]*commonpb.Payload, error) {
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType != "application/json" {
		return nil, respond.NewError(http.StatusUnsupportedMediaType, "Content-Type must be application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBodyBytes))
	var tooLong *http.MaxBytesError
	switch {
	case errors.As(err, &tooLong):
		return nil, respond.NewError(http.StatusRequestEntityTooLarge, fmt.Sprintf("body is larger than %d bytes", maxBodyBytes))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, respond.NewError(http.StatusRequestTimeout, "the body did not arrive in time; send it again")
	case err != nil:
		return nil, respond.NewError(http.StatusBadRequest, "the body breaks off, or its chunks are broken")
	}
	var payloads commonpb.Payloads
	if err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(body, &payloads); err != nil {
		return nil, respond.NewError(http.StatusBadRequest, `the body is not {"payloads":[…]} as Temporal's tools send it`)
	}
	return payloads.GetPayloads(), nil
}
