package configscreen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
)

// generated stands for a new secret in the recorded answers, and endpoint for the API's address.
const (
	generated = "{{generated secret}}"
	endpoint  = "{{api}}"
)

// fact is what GitBook's own integration answered to a request.
type fact struct {
	Request struct {
		Event       json.RawMessage `json:"event"`
		Environment json.RawMessage `json:"environment"`
	} `json:"request"`
	APIScript []scripted `json:"apiScript"`
	Response  struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"response"`
	APICalls []apiCall `json:"apiCalls"`
}

// scripted is an answer of the API.
type scripted struct {
	Status      int    `json:"status"`
	Body        string `json:"body"`
	Message     string `json:"message"`
	ContentType string `json:"contentType"`
}

// apiCall is a call of the API.
type apiCall struct {
	Method  string            `json:"method"`
	RawPath string            `json:"rawPath"`
	Headers map[string]string `json:"headers"`
	Body    json.RawMessage   `json:"body"`
}

// fakeAPI answers as scripted, and with an installation when the script is over.
type fakeAPI struct {
	*httptest.Server
	script []scripted
	calls  []apiCall
}

func newFakeAPI(t *testing.T, script []scripted) *fakeAPI {
	f := &fakeAPI{script: script}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeAPI) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(err)
	}
	call := apiCall{Method: r.Method, RawPath: r.RequestURI, Headers: map[string]string{}, Body: body}
	for _, name := range []string{"authorization", "user-agent", "content-type", "accept"} {
		call.Headers[name] = r.Header.Get(name)
	}
	f.calls = append(f.calls, call)
	answer := scripted{Status: http.StatusOK}
	if len(f.script) > 0 {
		answer, f.script = f.script[0], f.script[1:]
	}
	if answer.Body == "" {
		answer.Body = `{"object":"integration-installation"}`
	}
	if answer.Status/100 == 3 {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(answer.Status)
	_, _ = io.WriteString(w, answer.Body)
}

// kept are the secrets that are to sign longer.
type kept struct {
	all []string
	err error
}

func (k *kept) Keep(_ context.Context, installation, old, by string) error {
	k.all = append(k.all, installation+": "+old+", then "+by)
	return k.err
}

// answer is the status and the body with which an event is answered.
func answer(t *testing.T, apiURL string, overlaps Overlaps, event, environment []byte) (int, []byte) {
	screen, err := New(apiURL, "", overlaps)
	require.NoError(t, err)
	return answerOf(t, screen, event, environment)
}

func answerOf(t *testing.T, screen *Screen, event, environment []byte) (int, []byte) {
	e, err := gitbook.ParseEvent(event)
	require.NoError(t, err)
	env, err := gitbook.ParseEnvironment(environment)
	require.NoError(t, err)
	drawn, asked, err := screen.Answer(t.Context(), e, env)
	status, message := http.StatusOK, ""
	if shown, ok := errors.AsType[*respond.Error](err); ok {
		status, message = shown.Status, shown.Message
		requireNoSecret(t, shown.Error())
	} else {
		require.NoError(t, err)
	}
	if !asked {
		status, message = gitbook.UnhandledAnswer(e)
	}
	if status != http.StatusOK {
		drawn = map[string]string{"error": message}
	}
	w := httptest.NewRecorder()
	respond.JSON(w, status, drawn)
	return w.Code, w.Body.Bytes()
}

func requireNoSecret(t *testing.T, text string) {
	for _, secret := range []string{"tok_", "sig_", "c2VjcmV0"} {
		require.NotContains(t, text, secret)
	}
}

// differs are the facts from which Courier differs on purpose: saving checks everything before its
// first call, and ids are escaped.
var differs = map[string]func(*fact){
	"save--space-nothing-enabled":                  func(f *fact) { f.APICalls = nil },
	"save--site-content-updates-on-does-not-count": func(f *fact) { f.APICalls = nil },
	"save--url-ftp":                                invalidURL,
	"save--url-javascript":                         invalidURL,
	"save--ids-that-need-escaping": func(f *fact) {
		f.APICalls[0].RawPath = "/v1/integrations/webhook/installations/a%2Fb%3Fc%20d"
		f.APICalls[1].RawPath = "/v1/integrations/webhook/installations/a%2Fb%3Fc%20d/spaces/s%231%25"
	},
}

func invalidURL(f *fact) {
	f.APICalls, f.Response.Status = nil, http.StatusBadRequest
	f.Response.Body = json.RawMessage(`{"error":"Please enter a valid webhook URL"}`)
}

// aNewSecret is 32 random bytes.
var aNewSecret = regexp.MustCompile(`"secret":"([A-Za-z0-9_-]{43})"`)

func TestRecordedFacts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.Len(t, files, 49)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			var f fact
			require.NoError(t, json.Unmarshal(data, &f))
			if change, ok := differs[name]; ok {
				change(&f)
			}
			api := newFakeAPI(t, f.APIScript)
			environment := bytes.ReplaceAll(f.Request.Environment, []byte(endpoint), []byte(api.URL))

			overlaps := &kept{}
			status, body := answer(t, api.URL, overlaps, f.Request.Event, environment)

			require.Equal(t, f.Response.Status, status, "%s", body)
			want := string(f.Response.Body)
			if strings.Contains(want, generated) {
				found := aNewSecret.FindSubmatch(body)
				require.NotNil(t, found, "%s", body)
				want = strings.ReplaceAll(want, generated, string(found[1]))
			}
			require.Equal(t, compact(t, []byte(want)), string(body))
			if name == "save--space-new-secret" {
				require.Equal(t, []string{"inst_1: c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3I, then bmV3"}, overlaps.all)
			} else {
				require.Empty(t, overlaps.all)
			}
			require.Len(t, api.calls, len(f.APICalls))
			for i, call := range f.APICalls {
				require.JSONEq(t, string(call.Body), string(api.calls[i].Body))
				call.Body, api.calls[i].Body = nil, nil
				require.Equal(t, call, api.calls[i])
			}
		})
	}
}

// compact is JSON without blanks, its members in their order.
func compact(t *testing.T, raw []byte) string {
	var b bytes.Buffer
	require.NoError(t, json.Compact(&b, raw))
	return b.String()
}

// saving is an event and an environment with which a save succeeds, after a change of each.
func saving(api string, change func(event, environment map[string]any)) (event, environment []byte) {
	state := map[string]any{"webhookUrl": "https://hooks.example.com/in", "secret": "c2VjcmV0", "space_content_updated": true}
	e := map[string]any{
		"eventId": "evt_1", "type": "ui_render", "componentId": "config", "props": map[string]any{},
		"state": state, "action": map[string]any{"action": "save.config"},
	}
	env := map[string]any{
		"integration": map[string]any{
			"name": "webhook", "version": 12,
			"externalLinks": []any{map[string]any{"url": "https://gitbook.com/docs"}},
		},
		"installation":      map[string]any{"id": "inst_1"},
		"spaceInstallation": map[string]any{"integration": "webhook", "installation": "inst_1", "space": "space_1"},
		"apiEndpoint":       api,
		"apiTokens":         map[string]any{"installation": "tok_installation"},
	}
	change(e, env)
	event, _ = json.Marshal(e)
	environment, _ = json.Marshal(env)
	return event, environment
}

func TestSave(t *testing.T) {
	t.Parallel()
	state := func(name string, value any) func(event, environment map[string]any) {
		return func(event, _ map[string]any) { event["state"].(map[string]any)[name] = value }
	}
	env := func(name string, value any) func(event, environment map[string]any) {
		return func(_, environment map[string]any) { environment[name] = value }
	}
	const (
		broken  = `{"error":"Internal server error"}`
		invalid = `{"error":"Please enter a valid webhook URL"}`
		done    = `{"type":"complete"}`
		foreign = `{"error":"environment.apiEndpoint is not the configuration's gitbook_api"}`
	)
	for _, tt := range []struct {
		name   string
		change func(event, environment map[string]any)
		script []scripted
		status int
		body   string
		calls  int
	}{
		{"a save", env("extra", 1), nil, 200, done, 2},
		{"no host", state("webhookUrl", "https:///in"), nil, 400, invalid, 0},
		{"a port alone", state("webhookUrl", "https://:80/in"), nil, 400, invalid, 0},
		{"a user", state("webhookUrl", "https://user@hooks.example.com/in"), nil, 400, invalid, 0},
		{"a password", state("webhookUrl", "https://user:password@hooks.example.com/in"), nil, 400, invalid, 0},
		{"no URL at all", state("webhookUrl", "hooks.example.com"), nil, 400, invalid, 0},
		{"a blank of JavaScript's", state("webhookUrl", "\ufeff\u00a0"), nil, 400, `{"error":"Webhook URL is required"}`, 0},
		{"a URL that is no text", state("webhookUrl", 7), nil, 500, broken, 0},
		{"a switch of 0", state("space_content_updated", 0), nil, 400, `{"error":"At least one event type must be enabled"}`, 0},
		{"a switch of null", state("space_content_updated", nil), nil, 400, `{"error":"At least one event type must be enabled"}`, 0},
		{"a switch of an object", state("space_content_updated", map[string]any{}), nil, 200, done, 2},
		{"another API", env("apiEndpoint", "https://api.example.com"), nil, 403, foreign, 0},
		{"an API that is no text", env("apiEndpoint", nil), nil, 403, foreign, 0},
		{"the same API in another form", func(_, environment map[string]any) {
			environment["apiEndpoint"] = strings.Replace(environment["apiEndpoint"].(string), "http", "HTTP", 1) + "/"
		}, nil, 200, done, 2},
		{"no API named", func(_, environment map[string]any) { delete(environment, "apiEndpoint") }, nil, 200, done, 2},
		{"no token", env("apiTokens", map[string]any{}), nil, 500, broken, 0},
		{"no tokens at all", env("apiTokens", nil), nil, 500, broken, 0},
		{"a token of the integration", env("apiTokens", map[string]any{"installation": "", "integration": "tok_integration"}), nil, 200, done, 2},
		{"no token and no URL", func(event, environment map[string]any) {
			environment["apiTokens"], event["state"] = map[string]any{}, map[string]any{"webhookUrl": ""}
		}, nil, 400, `{"error":"Webhook URL is required"}`, 0},
		{"an API that begins alike", env("apiEndpoint", "http://127.0.0.1.example.com"), nil, 403, foreign, 0},
		{"an empty API", env("apiEndpoint", ""), nil, 403, foreign, 0},
		{"no name", env("integration", map[string]any{"version": 12}), nil, 500, broken, 0},
		{"a version that is no header", env("integration", map[string]any{"name": "webhook", "version": "1\r\nX: y"}), nil, 500, broken, 0},
		{"no installation", env("installation", nil), nil, 500, broken, 0},
		{"an id that climbs", env("installation", map[string]any{"id": ".."}), nil, 500, broken, 0},
		{"a space without an id", env("spaceInstallation", map[string]any{"integration": "webhook", "installation": "inst_1"}), nil, 500, broken, 0},
		{"a token that is no header", env("apiTokens", map[string]any{"installation": "tok_\r\nX: y"}), nil, 500, broken, 0},
		{"a redirect", env("extra", 1), []scripted{{Status: 307}}, 500, broken, 1},
		{"an answer without content", env("extra", 1), []scripted{{Status: 200, Body: " "}}, 500, broken, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			api := newFakeAPI(t, tt.script)
			event, environment := saving(api.URL, tt.change)
			status, body := answer(t, api.URL, &kept{}, event, environment)
			require.Equal(t, tt.status, status, "%s", body)
			require.Equal(t, tt.body, string(body))
			require.Len(t, api.calls, tt.calls)
		})
	}
}

func TestAPIThatCannotBeReached(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, nil)
	api.Close()
	event, environment := saving(api.URL, func(_, _ map[string]any) {})
	status, body := answer(t, api.URL, &kept{}, event, environment)
	require.Equal(t, http.StatusInternalServerError, status)
	require.Equal(t, `{"error":"Internal server error"}`, string(body))
}

// Nothing changes in GitBook when the secret that is replaced cannot be kept.
func TestSecretThatCannotBeKept(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, nil)
	event, environment := saving(api.URL, func(_, environment map[string]any) {
		environment["installation"] = map[string]any{"id": "inst_1", "configuration": map[string]any{"secret": "old"}}
	})
	overlaps := &kept{err: errors.New("cannot reach Temporal")}
	status, body := answer(t, api.URL, overlaps, event, environment)
	require.Equal(t, http.StatusInternalServerError, status)
	require.Equal(t, `{"error":"Internal server error"}`, string(body))
	require.Equal(t, []string{"inst_1: old, then c2VjcmV0"}, overlaps.all)
	require.Empty(t, api.calls)
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// An API that does not answer costs 10 seconds.
func TestAPIThatDoesNotAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const api = "https://api.example.com"
		screen, err := New(api, "", &kept{})
		require.NoError(t, err)
		screen.api.client.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		event, environment := saving(api, func(_, _ map[string]any) {})
		begun := time.Now()
		status, _ := answerOf(t, screen, event, environment)
		require.Equal(t, http.StatusInternalServerError, status)
		require.Equal(t, 10*time.Second, time.Since(begun))
	})
}

// A save that has begun is finished, although GitBook hangs up.
func TestSaveGoesOn(t *testing.T) {
	t.Parallel()
	api := newFakeAPI(t, nil)
	screen, err := New(api.URL, "", &kept{})
	require.NoError(t, err)
	event, environment := saving(api.URL, func(_, _ map[string]any) {})
	e, err := gitbook.ParseEvent(event)
	require.NoError(t, err)
	env, err := gitbook.ParseEnvironment(environment)
	require.NoError(t, err)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	_, _, err = screen.Answer(ctx, e, env)
	require.NoError(t, err)
	require.Len(t, api.calls, 2)
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for _, valid := range []string{
		"https://hooks.example.com", "HTTP://Hooks.Example.com:8080/a b?k=v w#f", "https://hooks.example.com./", "http://localhost:3000",
		"http://127.0.0.1", "http://[::1]:80/", "https://my_host/", "https://bücher.example/ä", "https://hooks.example.com:/", "https://1.example.com",
	} {
		require.NoError(t, checkURL(valid), valid)
	}
	for _, invalid := range []string{
		"hooks.example.com", "/in", "//hooks.example.com/in", "https:", "https://", "https:///in", "https://?k=v", "https://:443/", "https://a b/",
		"https://a\nb/", "https://exa<mple.com/", "https://hooks.example.com:99999/", "https://hooks.example.com:0/", "https://hooks.example.com:x/",
		"http://256.1.1.1/", "http://1.2.3/", "http://[::1/", "http://./", "https://user@hooks.example.com/", "https://user:geheim@hooks.example.com/",
		"https://@hooks.example.com/", "https://hooks.example.com/%zz", "https://\u00ad/", "ws://hooks.example.com/", "file:///etc/passwd",
		"data:text/plain,x", "mailto:a@example.com", "\u0085",
	} {
		require.EqualError(t, checkURL(invalid), "Please enter a valid webhook URL", invalid)
	}
}

func TestAddressesOfTheAPI(t *testing.T) {
	t.Parallel()
	const gitBook = "https://api.gitbook.com"
	tests := []struct {
		configured, given string
		want              bool
	}{
		{gitBook, "https://api.gitbook.com", true},
		{gitBook, "https://api.gitbook.com/", true},
		{gitBook + "/", "https://API.gitbook.com:443", true},
		{"http://127.0.0.1:80", "HTTP://127.0.0.1", true},
		{"https://proxy.example.com/gitbook", "https://proxy.example.com/gitbook/", true},
		{gitBook, "http://api.gitbook.com", false},
		{gitBook, "https://api.gitbook.com:80", false},
		{gitBook, "https://api.gitbook.com.example.com", false},
		{gitBook, "https://api.gitbook.com@example.com", false},
		{gitBook, "https://example.com/api.gitbook.com", false},
		{gitBook, "https://api.gitbook.com/v1", false},
		{gitBook, "https://api.gitbook.com?x", false},
		{gitBook, "https://user@api.gitbook.com", false},
		{gitBook, "api.gitbook.com", false},
		{gitBook, " https://api.gitbook.com", false},
		{gitBook, "", false},
	}
	for _, tt := range tests {
		a, err := newAPI(tt.configured, "")
		require.NoError(t, err)
		require.Equal(t, tt.want, a.is(tt.given), "%s, %s", tt.configured, tt.given)
	}
}

// Calls of the API leave through the proxy.
func TestAPIThroughAProxy(t *testing.T) {
	t.Parallel()
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, _, _ := strings.Cut(r.Header.Get("Proxy-Authorization"), " ")
		asked = append(asked, scheme+" "+r.RequestURI)
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(proxy.Close)
	const api = "http://api.example.com"
	screen, err := New(api, strings.Replace(proxy.URL, "://", "://user:password@", 1), &kept{})
	require.NoError(t, err)
	event, environment := saving(api, func(_, environment map[string]any) { delete(environment, "spaceInstallation") })
	status, _ := answerOf(t, screen, event, environment)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, []string{"Basic http://api.example.com/v1/integrations/webhook/installations/inst_1"}, asked)
}

// What the recorded drawings are examples of.
func TestDrawing(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/render--space-configured.json")
	require.NoError(t, err)
	var f fact
	require.NoError(t, json.Unmarshal(data, &f))
	type object = map[string]any
	event := func(name string, value any) func(event, environment object) {
		return func(event, _ object) { event[name] = value }
	}
	env := func(value any, path ...string) func(event, environment object) {
		return func(_, environment object) {
			for _, name := range path[:len(path)-1] {
				environment = environment[name].(object)
			}
			environment[path[len(path)-1]] = value
		}
	}
	const broken = "Internal server error"
	props := func(value any) object {
		return object{"spaceInstallation": object{"configuration": object{"space_content_updated": value}}}
	}
	for _, tt := range []struct {
		name   string
		change func(event, environment object)
		status int
		want   []string // parts of the answer
	}{
		{"state is false", event("state", false), 200, []string{`"webhookUrl":"https://hooks.example.com/in"`}},
		{"state is an empty text", event("state", ""), 200, []string{`"space_content_updated":true`}},
		{"state is zero", event("state", 0), 200, []string{`"space_content_updated":true`}},
		{"state is a text", event("state", "x"), 200, []string{`"state":"x"`, `"disabled":true`}},
		{"state is a list", event("state", []int{}), 200, []string{`"state":[]`}},
		{"unknown members of the state stay", event("state", object{"later": []int{1}}), 200, []string{`"state":{"later":[1]}`}},
		{"props are null, with a state", func(event, _ object) { event["state"], event["props"] = object{"a": 1}, nil }, 200, []string{`"props":null`}},
		{"props are null", event("props", nil), 500, []string{broken}},
		{"props are a text", event("props", "x"), 200, []string{`"props":"x"`, `"space_content_updated":false`}},
		{"a switch that is null", event("props", props(nil)), 200, []string{`"space_content_updated":false`}},
		{"a switch that is a text", event("props", props("on")), 200, []string{`"space_content_updated":"on"`}},
		{"the secret is a number", env(7, "installation", "configuration", "secret"), 200, []string{`"secret":7`, `"content":7`, `"disabled":false`}},
		{"no installation", env(nil, "installation"), 200, []string{`"webhookUrl":""`, `"disabled":true`}},
		{"a link without a URL", env([]object{{}}, "integration", "externalLinks"), 200, []string{`"url":"undefined#signature`}},
		{"links of another kind", env("x", "integration", "externalLinks"), 200, []string{`"url":"undefined#signature`}},
		{"no links", env(nil, "integration", "externalLinks"), 500, []string{broken}},
		{"no integration", env(nil, "integration"), 500, []string{broken}},
		{"no tokens", env(nil, "apiTokens"), 500, []string{broken}},
		{"an action that is a text", event("action", "save.config"), 200, []string{`"type":"element"`}},
		{"an action in another case", event("action", object{"action": "Save.config"}), 200, []string{`"type":"element"`}},
		{"an action that is a list", event("action", object{"action": []string{"save.config"}}), 200, []string{`"type":"element"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var event, environment object
			require.NoError(t, json.Unmarshal(f.Request.Event, &event))
			require.NoError(t, json.Unmarshal(f.Request.Environment, &environment))
			tt.change(event, environment)
			e, err := json.Marshal(event)
			require.NoError(t, err)
			env, err := json.Marshal(environment)
			require.NoError(t, err)
			status, body := answer(t, "https://api.gitbook.invalid", nil, e, env)
			require.Equal(t, tt.status, status, "%s", body)
			for _, part := range tt.want {
				require.Contains(t, string(body), part)
			}
		})
	}
}

func TestValuesAreJavaScripts(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		"": false, "null": false, "false": false, `""`: false, "0": false, "-0.0": false, "0e5": false,
		"true": true, `"0"`: true, "1": true, "[]": true, "{}": true,
	} {
		require.Equal(t, want, truthy(json.RawMessage(raw)), raw)
	}
	for _, tt := range []struct {
		a, b string
		want bool
	}{
		{"", "", true},
		{"", "null", false},
		{"null", "null", true},
		{`"a"`, `"\u0061"`, true},
		{`"1"`, "1", false},
		{"1.0", "1", true},
		{"{}", "{}", false},
		{"[]", `"a"`, false},
	} {
		a, b := json.RawMessage(tt.a), json.RawMessage(tt.b)
		if tt.a == "" {
			a = nil
		}
		if tt.b == "" {
			b = nil
		}
		require.Equal(t, tt.want, same(a, b), "%s %s", tt.a, tt.b)
	}
}

// Whatever a caller with a token sends, the answer is JSON, and no token is in it.
func FuzzAnswer(f *testing.F) {
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(f, err)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(f, err)
		var recorded fact
		require.NoError(f, json.Unmarshal(data, &recorded))
		f.Add([]byte(recorded.Request.Event), []byte(recorded.Request.Environment))
	}
	screen, err := New("https://api.gitbook.invalid", "", &kept{})
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, event, environment []byte) {
		e, err := gitbook.ParseEvent(event)
		if err != nil {
			return
		}
		env, err := gitbook.ParseEnvironment(environment)
		if err != nil {
			return
		}
		if action, _ := e.Field("action", "action"); strings.Contains(string(action), "save") {
			return // It would call the API.
		}
		drawn, asked, err := screen.Answer(t.Context(), e, env)
		if err != nil || !asked {
			return
		}
		w := httptest.NewRecorder()
		respond.JSON(w, http.StatusOK, drawn)
		require.True(t, json.Valid(w.Body.Bytes()))
	})
}
