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

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/apitest"
)

// output is the schema of an answer.
const output = "ContentKitRenderOutput"

// notBySchema is the recorded answer of GitBook's own integration that GitBook's schema refuses:
// without a secret in the state there is no code to show. Courier gives the same.
const notBySchema = "state--empty-object"

// What GitBook draws, and what its API is sent, is as GitBook describes it.
func TestSchema(t *testing.T) {
	t.Parallel()
	check := apitest.GitBookSchemas(t, output, "UpdateIntegrationInstallation", "UpdateIntegrationSpaceInstallation", "UpdateIntegrationSiteInstallation")
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
