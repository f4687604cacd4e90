//go:build gitbookapi

package configscreen

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// description is GitBook's own description of its API, which "make schema" installs.
const description = "testdata/npm/node_modules/@gitbook/api/spec/openapi.json"

// output is the schema of an answer.
const output = "ContentKitRenderOutput"

// notBySchema is the recorded answer of GitBook's own integration that GitBook's schema refuses:
// without a secret in the state there is no code to show. Courier gives the same.
const notBySchema = "state--empty-object"

// mend makes one mistake of the description good: a plain object may be of any type there, so that
// a text is two kinds of value at once where it may be one alone.
func mend(t *testing.T, document any) {
	t.Helper()
	schemas := document.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)
	plain := schemas["PlainObject"].(map[string]any)
	require.NotContains(t, plain, "type", "the mistake is no longer there")
	plain["type"] = "object"
}

// What GitBook draws, and what its API is sent, is as GitBook describes it.
func TestSchema(t *testing.T) {
	t.Parallel()
	file, err := os.Open(description)
	require.NoError(t, err, "make schema installs it")
	document, err := jsonschema.UnmarshalJSON(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	mend(t, document)
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("gitbook:api", document))
	schemas := make(map[string]*jsonschema.Schema)
	for _, name := range []string{output, "UpdateIntegrationInstallation", "UpdateIntegrationSpaceInstallation", "UpdateIntegrationSiteInstallation"} {
		schemas[name], err = compiler.Compile("gitbook:api#/components/schemas/" + name)
		require.NoError(t, err)
	}
	check := func(name string, raw []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		require.NoError(t, err)
		return schemas[name].Validate(value)
	}
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var f fact
			require.NoError(t, json.Unmarshal(data, &f))
			api := newFakeAPI(t, f.APIScript)
			environment := bytes.ReplaceAll(f.Request.Environment, []byte(endpoint), []byte(api.URL))
			status, body := answer(t, api.URL, &kept{}, f.Request.Event, environment)
			if name == notBySchema {
				require.Error(t, check(output, body))
			} else if status == http.StatusOK {
				require.NoError(t, check(output, body))
			}
			for _, call := range api.calls {
				schema := "UpdateIntegrationInstallation"
				switch {
				case strings.Contains(call.RawPath, "/spaces/"):
					schema = "UpdateIntegrationSpaceInstallation"
				case strings.Contains(call.RawPath, "/sites/"):
					schema = "UpdateIntegrationSiteInstallation"
				}
				require.NoError(t, check(schema, call.Body))
			}
		})
	}
	require.Error(t, check(output, []byte(`{"type":"element","state":{},"props":{},"element":{"type":"configuration"}}`)), "a screen without children")
}
