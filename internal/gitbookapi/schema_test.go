//go:build gitbookapi

package gitbookapi_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/internal/apitest"
	"github.com/gitbook-courier/courier/internal/gitbookapi"
)

// The fake of GitBook's API answers, and is asked, as GitBook describes.
func TestSchema(t *testing.T) {
	t.Parallel()
	const target = "#/paths/~1integrations~1{integrationName}~1dev/put/requestBody/content/application~1json/schema"
	check := apitest.GitBookSchemas(t, "IntegrationEvent", target)
	g := apitest.NewGitBook(t)
	c := gitbookapi.New(g.URL, apitest.GitBookToken, "courier-webhook")
	require.NoError(t, c.StartDevelopment(t.Context(), "https://tunnel.example.com", true))
	body, ok := strings.CutPrefix(g.Calls()[1], "body ")
	require.True(t, ok)
	require.NoError(t, check(target, []byte(body)))
	require.Error(t, check(target, []byte(`{"all":true}`)))

	g.Log(noon, gitbookapi.StatusFailed, string(gitbook.Sample(gitbook.EventSiteView, "evt_1")))
	all, err := c.Events(t.Context(), noon)
	require.NoError(t, err)
	require.Len(t, all, 1)
	for _, entry := range g.Entries() {
		encoded, err := json.Marshal(entry)
		require.NoError(t, err)
		require.NoError(t, check("IntegrationEvent", encoded))
	}
}
