// Package apitest holds what the starter answers against its OpenAPI document, in tests.
package apitest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/gitbook-courier/courier/starter/openapi"
)

// Load parses the document, and checks it together with its examples. It does so once.
var Load = sync.OnceValues(func() (*openapi3.T, error) {
	document, err := openapi3.NewLoader().LoadFromData(openapi.Document)
	if err != nil {
		return nil, err
	}
	return document, document.Validate(context.Background())
})

var newRouter = sync.OnceValues(func() (routers.Router, error) {
	document, err := Load()
	if err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(document)
})

// Validate serves next, and fails the test when an answer is not as the document says, or when a
// request is not that was answered with 2xx.
func Validate(tb testing.TB, next http.Handler) http.Handler {
	tb.Helper()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := drain(&r.Body)
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		report(tb, exchange{request: r, requestBody: body, status: answer.Code, header: answer.Header(), body: answer.Body.Bytes()})
		for name, values := range answer.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// Transport is Validate for a client whose requests go to a starter.
func Transport(tb testing.TB, next http.RoundTripper) http.RoundTripper {
	tb.Helper()
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		body := drain(&r.Body)
		answer, err := next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		report(tb, exchange{request: r, requestBody: body, status: answer.StatusCode, header: answer.Header, body: drain(&answer.Body)})
		return answer, nil
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// drain reads a body, and puts back what it has read. An error comes again when what it has put
// back is read.
func drain(body *io.ReadCloser) []byte {
	if *body == nil {
		return nil
	}
	defer (*body).Close()
	data, err := io.ReadAll(*body)
	again := io.Reader(bytes.NewReader(data))
	if err != nil {
		again = io.MultiReader(again, broken{err})
	}
	*body = io.NopCloser(again)
	return data
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

// exchange is a request and its answer.
type exchange struct {
	request     *http.Request
	requestBody []byte
	status      int
	header      http.Header
	body        []byte
}

func report(tb testing.TB, e exchange) {
	tb.Helper()
	if err := e.check(); err != nil {
		tb.Errorf("%s %s was answered %d, not as the OpenAPI document has it: %v", e.request.Method, e.request.URL.RequestURI(), e.status, err)
	}
}

func (e exchange) check() error {
	router, err := newRouter()
	if err != nil {
		return err
	}
	// GET describes HEAD too.
	request := e.request.Clone(context.WithoutCancel(e.request.Context()))
	if request.Method == http.MethodHead {
		request.Method = http.MethodGet
	}
	request.Body = io.NopCloser(bytes.NewReader(e.requestBody))
	request.GetBody = nil
	route, parameters, err := router.FindRoute(request)
	if err != nil {
		return e.checkElsewhere(err, request)
	}
	for name, value := range parameters {
		if parameters[name], err = url.PathUnescape(value); err != nil {
			return err
		}
	}
	input := openapi3filter.RequestValidationInput{
		Request: request, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: authenticate, SkipSettingDefaults: true},
	}
	if e.status < 300 {
		if err := openapi3filter.ValidateRequest(request.Context(), &input); err != nil {
			return fmt.Errorf("request: %w", err)
		}
		if err := checkQuery(route, request); err != nil {
			return err
		}
	}
	return e.checkAnswer(&input, route.Operation)
}

// checkElsewhere checks the answer of a path or method that the document does not list.
func (e exchange) checkElsewhere(cause error, request *http.Request) error {
	document, err := Load()
	if err != nil {
		return err
	}
	answers := document.Components.Responses
	// A page of another site hears nothing of what there is, nor does a caller without a token.
	expected := map[int]*openapi3.ResponseRef{
		http.StatusForbidden:    answers["OtherSite"],
		http.StatusUnauthorized: answers["TokenRefused"],
	}
	if errors.Is(cause, routers.ErrMethodNotAllowed) {
		expected[http.StatusMethodNotAllowed] = answers["MethodNotAllowed"]
		// The version is looked at before the method.
		expected[http.StatusBadRequest] = document.Paths.Value("/{version}").Post.Responses.Status(http.StatusBadRequest)
	} else {
		expected[http.StatusNotFound] = answers["NotFound"]
	}
	answer, ok := expected[e.status]
	if !ok {
		return cause
	}
	operation := &openapi3.Operation{Responses: openapi3.NewResponses(openapi3.WithStatus(e.status, answer))}
	input := openapi3filter.RequestValidationInput{Request: request, Route: &routers.Route{Spec: document, Operation: operation}}
	return e.checkAnswer(&input, operation)
}

func (e exchange) checkAnswer(input *openapi3filter.RequestValidationInput, operation *openapi3.Operation) error {
	answer := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: e.status, Header: e.header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, ExcludeResponseBody: e.request.Method == http.MethodHead},
	}
	answer.SetBodyBytes(e.body)
	if err := openapi3filter.ValidateResponse(input.Request.Context(), answer); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	documented := operation.Responses.Status(e.status).Value.Headers
	for name := range e.header {
		if slices.Contains(everyAnswers, name) {
			continue
		}
		if !slices.ContainsFunc(headerNames(documented), func(n string) bool { return strings.EqualFold(n, name) }) {
			return fmt.Errorf("answer: the header %s is not documented", name)
		}
	}
	return nil
}

// everyAnswers are the headers that any answer may have, the last three below /codec alone.
var everyAnswers = []string{
	"Content-Type", "Content-Length", "Date", "X-Content-Type-Options", "Connection",
	"Vary", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials",
}

func headerNames(headers openapi3.Headers) []string {
	names := make([]string, 0, len(headers))
	for name := range headers {
		names = append(names, name)
	}
	return names
}

// checkQuery refuses parameters that are not documented, which the library passes over.
func checkQuery(route *routers.Route, request *http.Request) error {
	for name := range request.URL.Query() {
		if route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			return fmt.Errorf("request: the parameter %s is not documented", name)
		}
	}
	return nil
}

// authenticate is whether a request shows what a security scheme asks for; whether it is the right
// one is the starter's to say.
func authenticate(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	header := input.RequestValidationInput.Request.Header
	shown := header.Get("Authorization")
	scheme, _, _ := strings.Cut(shown, " ")
	ok := strings.EqualFold(scheme, input.SecurityScheme.Scheme)
	if input.SecurityScheme.Type == "apiKey" {
		ok = header.Get(input.SecurityScheme.Name) != ""
	}
	if !ok {
		return fmt.Errorf("%s is missing", input.SecuritySchemeName)
	}
	return nil
}
