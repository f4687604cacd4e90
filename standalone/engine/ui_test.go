package engine

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUIServesPageAndAPI(t *testing.T) {
	t.Parallel()
	e := mustStart(t, testOptions(t.TempDir()))
	defer mustStop(t, e)

	status, body := get(t, e.UIURL()+"/", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<!doctype html>")

	status, body = get(t, e.UIURL()+"/api/v1/namespaces", "")
	require.Equal(t, http.StatusOK, status)
	var list struct {
		Namespaces []struct{ NamespaceInfo struct{ Name string } }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &list))
	var names []string
	for _, ns := range list.Namespaces {
		names = append(names, ns.NamespaceInfo.Name)
	}
	require.Contains(t, names, testNamespace)

	status, body = get(t, e.UIURL()+"/api/v1/settings", "")
	require.Equal(t, http.StatusOK, status)
	var settings struct {
		DefaultNamespace string
		DisableNewsFetch bool

		WorkflowPauseDisabled, WorkflowResetDisabled, WorkflowTerminateDisabled, StartWorkflowDisabled bool
	}
	require.NoError(t, json.Unmarshal([]byte(body), &settings))
	require.Equal(t, testNamespace, settings.DefaultNamespace)
	require.True(t, settings.DisableNewsFetch)
	require.True(t, settings.WorkflowPauseDisabled && settings.WorkflowResetDisabled)
	require.True(t, settings.WorkflowTerminateDisabled && settings.StartWorkflowDisabled)

	// A name that somebody else's DNS points here is not ours.
	status, _ = get(t, e.UIURL()+"/api/v1/namespaces", "rebound.example:80")
	require.Equal(t, http.StatusForbidden, status)

	// Workflow details in Markdown are rendered here.
	status, body = get(t, e.UIURL()+"/render?content=**delivered**", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<strong>delivered</strong>")

	// A change needs the token that the page got in a cookie; with it, the request reaches the
	// server, which knows no such workflow.
	require.Equal(t, http.StatusForbidden, terminate(t, e.UIURL(), "", "", ""))
	require.Equal(t, http.StatusForbidden, terminate(t, e.UIURL(), "token", "token", "cross-site"))
	require.Equal(t, http.StatusNotFound, terminate(t, e.UIURL(), "token", "token", ""))
}

func terminate(t *testing.T, uiURL, cookie, token, fetchSite string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		uiURL+"/api/v1/namespaces/"+testNamespace+"/workflows/none/terminate", strings.NewReader("{}"))
	require.NoError(t, err)
	if cookie != "" {
		request.AddCookie(&http.Cookie{Name: "_csrf", Value: cookie})
	}
	request.Header.Set("X-CSRF-Token", token)
	request.Header.Set("Sec-Fetch-Site", fetchSite)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func get(t *testing.T, address, host string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	request.Host = host
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestUIServesTheCodec(t *testing.T) {
	t.Parallel()
	options := testOptions(t.TempDir())
	options.Codec = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "codec "+r.URL.Path) })
	e := mustStart(t, options)
	defer mustStop(t, e)

	status, body := get(t, e.UIURL()+"/codec/decode", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "codec /codec/decode", body)
	status, _ = get(t, e.UIURL()+"/codec/decode", "rebound.example:80")
	require.Equal(t, http.StatusForbidden, status)

	// The page gets its address, below its own origin.
	_, body = get(t, e.UIURL()+"/api/v1/settings", "")
	var settings struct{ Codec struct{ Endpoint string } }
	require.NoError(t, json.Unmarshal([]byte(body), &settings))
	require.Equal(t, "/codec", settings.Codec.Endpoint)
	status, body = get(t, e.UIURL()+"/", "")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "<!doctype html>")
}
