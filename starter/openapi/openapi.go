// Package openapi is the description of the starter's HTTP API and of the webhooks that Courier
// sends. It is written by hand; tests hold what the API answers against it. It knows no route.
package openapi

import (
	_ "embed"
	"net/http"
)

// Document is an OpenAPI 3.1 document, in YAML.
//
//go:embed openapi.yaml
var Document []byte

// Get serves GET /openapi.yaml. The media type is that of RFC 9512.
func Get(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(Document) // a caller that is gone cannot be told
	return nil
}
