//go:build gitbookapi

package apitest

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"
)

// GitBookDescription is GitBook's own description of its API, which "make schema" installs from npm.
func GitBookDescription(t *testing.T) map[string]any {
	t.Helper()
	_, here, _, _ := runtime.Caller(0)
	file, err := os.Open(filepath.Join(filepath.Dir(here), "testdata/npm/node_modules/@gitbook/api/spec/openapi.json"))
	require.NoError(t, err, "make schema installs it")
	document, err := jsonschema.UnmarshalJSON(file)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	// A plain object may be of any type there by mistake, so that a text is two kinds of value at
	// once where it may be one alone.
	plain := document.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any)["PlainObject"].(map[string]any)
	require.NotContains(t, plain, "type", "the mistake is no longer there")
	plain["type"] = "object"
	return document.(map[string]any)
}

// GitBookSchemas compiles schemas of GitBookDescription, by their names or as pointers that begin with
// "#", and returns a function that says how a JSON
// document breaks one of them.
func GitBookSchemas(t *testing.T, names ...string) func(name string, raw []byte) error {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	require.NoError(t, compiler.AddResource("gitbook:api", GitBookDescription(t)))
	schemas := make(map[string]*jsonschema.Schema)
	for _, name := range names {
		pointer := "#/components/schemas/" + name
		if strings.HasPrefix(name, "#") {
			pointer = strings.NewReplacer("{", "%7B", "}", "%7D").Replace(name)
		}
		schema, err := compiler.Compile("gitbook:api" + pointer)
		require.NoError(t, err)
		schemas[name] = schema
	}
	return func(name string, raw []byte) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		return schemas[name].Validate(value)
	}
}
