//go:build gitbookapi

package apitest_test

import (
	"path"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
)

// The event types are those that GitBook describes, and each sample is valid.
func TestSchema(t *testing.T) {
	t.Parallel()
	check := apitest.GitBookSchemas(t, "Event")
	types := described(t)
	require.Equal(t, types, gitbook.EventTypes())
	for _, eventType := range types {
		t.Run(eventType, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, check("Event", gitbook.Sample(eventType, "evt_1")))
		})
	}
	require.Error(t, check("Event", []byte(`{"eventId":"evt_1","type":"space_content_updated","installationId":"i","spaceId":"s","revisionId":"r"}`)),
		"updatedBy is missing")
	require.Error(t, check("Event", gitbook.Sample("page_moved", "evt_1")), "a type that is not there")
}

// described are the types of the schema Event, sorted.
func described(t *testing.T) (types []string) {
	t.Helper()
	schemas := apitest.GitBookDescription(t)["components"].(map[string]any)["schemas"].(map[string]any)
	for _, one := range schemas["Event"].(map[string]any)["oneOf"].([]any) {
		name := path.Base(one.(map[string]any)["$ref"].(string))
		for _, part := range schemas[name].(map[string]any)["allOf"].([]any) {
			properties, _ := part.(map[string]any)["properties"].(map[string]any)
			if eventType, ok := properties["type"].(map[string]any); ok {
				types = append(types, eventType["enum"].([]any)[0].(string))
			}
		}
	}
	slices.Sort(types)
	return types
}
