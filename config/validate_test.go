package config

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// validConfig is the smallest configuration that has one of everything.
func validConfig() Config {
	cfg := Default()
	cfg.Access.Tokens = []Secret{"0123456789abcdef"}
	cfg.SealingKeys = []Secret{Secret(testKey)}
	cfg.Installations = []Installation{{ID: "inst_1"}}
	cfg.Sources = []Source{{Name: "docs", Secrets: []Secret{"s"}}}
	destination := DefaultDestination()
	destination.Name = "cache"
	destination.URL = "https://example.com/hook"
	destination.Secrets = []Secret{"s"}
	cfg.Destinations = []Destination{destination}
	return cfg
}

func TestValidate(t *testing.T) {
	t.Parallel()

	const (
		notLoopback = "access.tokens: is required, because listen is not a loopback address; give a token of at least 16 characters"
		notListen   = " is not host:port with a port of at most 65535, such as 127.0.0.1:8080"
		notName     = " is not a name: 1 to 63 of a-z, 0-9 and -, not beginning with -"
		notID       = " is not an installation's id: 1 to 128 visible ASCII characters without / and @"
	)
	tests := []struct {
		name string
		give func(*Config)
		want string // Empty when valid.
	}{
		{"valid", func(*Config) {}, ""},
		{"default", func(c *Config) { *c = Default() }, ""},

		{"listen on IPv6 loopback", func(c *Config) { c.Listen, c.Access.Tokens = "[::1]:0", nil }, ""},
		{"listen on 127.9.9.9", func(c *Config) { c.Listen, c.Access.Tokens = "127.9.9.9:80", nil }, ""},
		{"listen on mapped loopback", func(c *Config) { c.Listen, c.Access.Tokens = "[::ffff:127.0.0.1]:80", nil }, ""},
		{"listen on localhost", func(c *Config) { c.Listen, c.Access.Tokens = "LocalHost:80", nil }, ""},
		{"listen everywhere", func(c *Config) { c.Listen, c.Access.Tokens = ":80", nil }, notLoopback},
		{"listen on 0.0.0.0", func(c *Config) { c.Listen, c.Access.Tokens = "0.0.0.0:80", nil }, notLoopback},
		{"listen on ::", func(c *Config) { c.Listen, c.Access.Tokens = "[::]:80", nil }, notLoopback},
		{"listen on a name", func(c *Config) { c.Listen, c.Access.Tokens = "localhost.example.com:80", nil }, notLoopback},
		{"listen everywhere with a token", func(c *Config) { c.Listen = ":80" }, ""},
		{"listen without port", func(c *Config) { c.Listen = "127.0.0.1" }, "listen: 127.0.0.1" + notListen},
		{"listen on a wide port", func(c *Config) { c.Listen = "127.0.0.1:65536" }, "listen: 127.0.0.1:65536" + notListen},
		{"listen on a named port", func(c *Config) { c.Listen = "127.0.0.1:http" }, "listen: 127.0.0.1:http" + notListen},
		{"listen on a bad host", func(c *Config) { c.Listen = "a b:80" }, `listen: "a b:80"` + notListen},
		{"listen on nothing", func(c *Config) { c.Listen = "" }, "listen:" + notListen},

		{"event and API tokens everywhere", func(c *Config) {
			c.Listen, c.Access = ":80", Access{EventTokens: []Secret{"event-token-1234"}, APITokens: []Secret{"api-token-123456"}}
		}, ""},
		{"event tokens alone everywhere", func(c *Config) {
			c.Listen, c.Access = ":80", Access{EventTokens: []Secret{"event-token-1234"}}
		}, "access.api_tokens: is required, because listen is not a loopback address; give a token of at least 16 characters"},
		{"API tokens alone everywhere", func(c *Config) {
			c.Listen, c.Access = ":80", Access{APITokens: []Secret{"api-token-123456"}}
		}, "access.event_tokens: is required, because listen is not a loopback address; give a token of at least 16 characters"},
		{"an event token that is an API token", func(c *Config) {
			c.Access.EventTokens, c.Access.APITokens = []Secret{"event-token-1234"}, []Secret{"event-token-1234"}
		}, "access.api_tokens[0]: is the same as access.event_tokens[0]"},
		{"a certificate without a key", func(c *Config) { c.TLS.Certificate = "a.pem" }, "tls.key: is required beside tls.certificate; give the file of its private key"},
		{"a key without a certificate", func(c *Config) { c.TLS.Key = "a.key" }, "tls.certificate: is required beside tls.key; give the file of the certificate"},
		{"encryption without a key", func(c *Config) {
			c.EncryptPayloads, c.SealingKeys, c.Installations = true, nil, nil
		}, "sealing_keys: is required, because encrypt_payloads is true; make a key with `openssl rand -base64 32`"},
		{"encryption", func(c *Config) { c.EncryptPayloads = true }, ""},
		{"fetch events without a key", func(c *Config) {
			c.SealingKeys, c.Installations, c.Destinations[0].Events = nil, nil, []string{"fetch"}
		}, "sealing_keys: is required, because a destination gets fetch events, whose headers are sealed; make a key with `openssl rand -base64 32`"},
		{"fetch events", func(c *Config) { c.Destinations[0].Events = []string{"fetch"} }, ""},
		{"origins", func(c *Config) { c.UIOrigins = []string{"https://ui.example.com", "http://127.0.0.1:8233"} }, ""},
		{"an origin with a path", func(c *Config) { c.UIOrigins = []string{"https://ui.example.com/"} }, "ui_origins[0]: https://ui.example.com/ is not an origin, such as https://temporal.example.com, without a path"},
		{"any origin", func(c *Config) { c.UIOrigins = []string{"*"} }, "ui_origins[0]: * is not an origin, such as https://temporal.example.com, without a path"},
		{"an admin address", func(c *Config) { c.AdminListen = "0.0.0.0:9464" }, ""},
		{"no admin address", func(c *Config) { c.AdminListen = AdminOff }, ""},
		{"an admin address that is none", func(c *Config) { c.AdminListen = "9464" }, "admin_listen: 9464 is not host:port with a port of at most 65535, such as 127.0.0.1:9464"},
		{"a log in JSON", func(c *Config) { c.LogFormat = LogJSON }, ""},
		{"another log", func(c *Config) { c.LogFormat = "xml" }, "log_format: xml is neither text nor json"},
		{"Temporal's UI", func(c *Config) { c.UIURL = "https://temporal.example.com/ui" }, ""},
		{"no URL of a UI", func(c *Config) { c.UIURL = "temporal" }, "ui_url: is not an http or https URL with a host, such as https://temporal.example.com"},
		{"another GitBook", func(c *Config) { c.GitBookAPI = "http://localhost:9999/api" }, ""},
		{"no GitBook", func(c *Config) { c.GitBookAPI = "" }, "gitbook_api: is not an http or https URL with a host, such as https://api.gitbook.com"},
		{"a GitBook of another kind", func(c *Config) { c.GitBookAPI = "ftp://api.gitbook.com" }, "gitbook_api: is not an http or https URL with a host, such as https://api.gitbook.com"},
		{"a GitBook with a user", func(c *Config) { c.GitBookAPI = "https://user:password@api.gitbook.com" }, "gitbook_api: has a user, a query or a fragment; leave it out"},
		{"a GitBook with a query", func(c *Config) { c.GitBookAPI = "https://api.gitbook.com?" }, "gitbook_api: has a user, a query or a fragment; leave it out"},
		{"an egress proxy", func(c *Config) { c.EgressProxy = "http://user:password@proxy:3128" }, ""},
		{"an egress proxy of another kind", func(c *Config) { c.EgressProxy = "ftp://user:password@proxy" }, "egress_proxy: is not an http, https or socks5 URL with a host"},
		{"embedded worker", func(c *Config) { c.Worker = WorkerEmbedded }, ""},
		{"another worker", func(c *Config) { c.Worker = "both" }, "worker: both is neither separate nor embedded"},
		{"no requests at once", func(c *Config) { c.MaxRequests = 0 }, "max_requests: 0 is not between 1 and 10000"},
		{"limits", func(c *Config) { c.Destinations[0].Concurrency, c.Destinations[0].RateLimit = 1000, 0.01 }, ""},
		{"too much concurrency", func(c *Config) { c.Destinations[0].Concurrency = 1001 }, "destinations[0].concurrency: 1001 is not between 0 (no limit) and 1000"},
		{"too slow a rate", func(c *Config) { c.Destinations[0].RateLimit = 0.001 }, "destinations[0].rate_limit: 0.001 is not between 0.01 and 1000 requests a second"},
		{"a match", func(c *Config) { c.Destinations[0].Match = map[string][]string{"visitor.language": {"en", "de*"}} }, ""},
		{"a match of no path", func(c *Config) { c.Destinations[0].Match = map[string][]string{"visitor.": {"en"}} }, `destinations[0].match."visitor.": is not a path of members, such as visitor.language`},
		{"a match without values", func(c *Config) { c.Destinations[0].Match = map[string][]string{"visitor.language": {}} }, `destinations[0].match."visitor.language": has no values, so that nothing would be delivered; leave it out, or give at least one`},
		{"a match with an empty value", func(c *Config) { c.Destinations[0].Match = map[string][]string{"visitor.language": {"en", ""}} }, `destinations[0].match."visitor.language": has an empty value; give it a text, or "*" for any`},
		{"redaction", func(c *Config) { c.Destinations[0].Redact = []string{"visitor.ip", "type.x"} }, ""},
		{"redaction of the type", func(c *Config) { c.Destinations[0].Redact = []string{"type"} }, "destinations[0].redact[0]: type cannot be removed, because every event needs it; leave it out"},
		{"redaction of no path", func(c *Config) { c.Destinations[0].Redact = []string{"visitor..ip"} }, "destinations[0].redact[0]: visitor..ip is not a path of members, such as visitor.ip"},

		{
			"token of 15 characters", func(c *Config) { c.Access.Tokens[0] = "0123456789abcde" },
			"access.tokens[0]: is shorter than 16 characters; make one with `openssl rand -hex 32`",
		},
		{
			"token with a space", func(c *Config) { c.Access.Tokens[0] = "0123456789 abcdef" },
			"access.tokens[0]: must be printable ASCII without spaces and line breaks",
		},
		{
			"token beyond ASCII", func(c *Config) { c.Access.Tokens[0] = "0123456789abcdefé" },
			"access.tokens[0]: must be printable ASCII without spaces and line breaks",
		},
		{
			"token with a line break", func(c *Config) { c.Access.Tokens[0] += "\n" },
			"access.tokens[0]: must be printable ASCII without spaces and line breaks",
		},
		{"token empty", func(c *Config) { c.Access.Tokens[0] = "" }, "access.tokens[0]: is empty"},
		{
			"token twice", func(c *Config) { c.Access.Tokens = append(c.Access.Tokens, c.Access.Tokens[0]) },
			"access.tokens[1]: is the same as access.tokens[0]",
		},

		{
			"sealing key", func(c *Config) { c.SealingKeys[0] = "no key" },
			"sealing_keys[0]: is not base64; make one with `openssl rand -base64 32`",
		},
		{
			"installation without sealing key", func(c *Config) { c.SealingKeys = nil },
			"sealing_keys: is required, because installations are given; make a key with `openssl rand -base64 32`",
		},
		{"no installation, no sealing key", func(c *Config) { c.SealingKeys, c.Installations = nil, []Installation{} }, ""},
		{"any installation", func(c *Config) { c.Installations[0].ID = "*" }, ""},
		{"installation of 128 characters", func(c *Config) { c.Installations[0].ID = strings.Repeat("~", 128) }, ""},
		{
			"installation of 129 characters", func(c *Config) { c.Installations[0].ID = strings.Repeat("a", 129) },
			"installations[0].id: " + strings.Repeat("a", 64) + "…" + notID,
		},
		{"installation with /", func(c *Config) { c.Installations[0].ID = "a/b" }, "installations[0].id: a/b" + notID},
		{"installation with @", func(c *Config) { c.Installations[0].ID = "a@b" }, "installations[0].id: a@b" + notID},
		{"installation with a space", func(c *Config) { c.Installations[0].ID = "a b" }, `installations[0].id: "a b"` + notID},
		{
			"installation empty", func(c *Config) { c.Installations[0].ID = "" },
			`installations[0].id: is required; give GitBook's id of it, or "*" for any installation`,
		},
		{
			"installation twice", func(c *Config) { c.Installations = append(c.Installations, c.Installations[0]) },
			"installations[1].id: inst_1 is the same as installations[0].id",
		},

		{"source of 63 characters", func(c *Config) { c.Sources[0].Name = strings.Repeat("0", 63) }, ""},
		{
			"source of 64 characters", func(c *Config) { c.Sources[0].Name = strings.Repeat("a", 64) },
			"sources[0].name: " + strings.Repeat("a", 64) + notName,
		},
		{"source beginning with -", func(c *Config) { c.Sources[0].Name = "-a" }, "sources[0].name: -a" + notName},
		{"source with a line break", func(c *Config) { c.Sources[0].Name = "a\n" }, `sources[0].name: "a\n"` + notName},
		{"source empty", func(c *Config) { c.Sources[0].Name = "" }, "sources[0].name: is required"},
		{
			"source twice", func(c *Config) { c.Sources = append(c.Sources, c.Sources[0]) },
			"sources[1].name: docs is the same as sources[0].name",
		},
		{"source named as a destination", func(c *Config) { c.Sources[0].Name = "cache" }, ""},
		{"source without secret", func(c *Config) { c.Sources[0].Secrets = nil }, "sources[0].secrets: needs at least one secret"},
		{"source with an empty secret", func(c *Config) { c.Sources[0].Secrets = []Secret{"a", ""} }, "sources[0].secrets[1]: is empty"},

		{
			"destination twice", func(c *Config) { c.Destinations = append(c.Destinations, c.Destinations[0]) },
			"destinations[1].name: cache is the same as destinations[0].name",
		},
		{
			"destination without secret", func(c *Config) { c.Destinations[0].Secrets = nil },
			"destinations[0].secrets: needs at least one secret",
		},
		{
			"destination with a secret twice", func(c *Config) { c.Destinations[0].Secrets = []Secret{"s", "t", "s"} },
			"destinations[0].secrets[2]: is the same as destinations[0].secrets[0]",
		},
		{
			"destination with a line break in a secret", func(c *Config) { c.Destinations[0].Secrets[0] = "s\n" },
			"destinations[0].secrets[0]: holds a line break or another control character",
		},
		{
			"no events", func(c *Config) { c.Destinations[0].Events = nil },
			"destinations[0].events: lists none; leave it out for those that GitBook documents",
		},
		{
			"event type", func(c *Config) { c.Destinations[0].Events = []string{"a_1.b", "Site_View"} },
			"destinations[0].events[1]: Site_View is not an event type, such as space_content_updated",
		},
		{"space and site", func(c *Config) {
			c.Destinations[0].Spaces, c.Destinations[0].Sites = []string{"a", ""}, []string{"a b"}
		}, "destinations[0].spaces[1]: is empty\n" + `destinations[0].sites[0]: "a b" is not a site's id`},

		{"least timeout", func(c *Config) { c.Destinations[0].Timeout = 100 * time.Millisecond }, ""},
		{"most timeout", func(c *Config) { c.Destinations[0].Timeout = 30 * time.Second }, ""},
		{
			"timeout too short", func(c *Config) { c.Destinations[0].Timeout = 99 * time.Millisecond },
			"destinations[0].timeout: 99ms is not between 100ms and 30s",
		},
		{
			"timeout too long", func(c *Config) { c.Destinations[0].Timeout = 10 * time.Minute },
			"destinations[0].timeout: 10m is not between 100ms and 30s",
		},
		{"no retries", func(c *Config) { c.Destinations[0].Retries = nil }, ""},
		{"50 retries", func(c *Config) { c.Destinations[0].Retries = waits(50) }, ""},
		{
			"51 retries", func(c *Config) { c.Destinations[0].Retries = waits(51) },
			"destinations[0].retries: has 51 waits; at most 50 are allowed",
		},
		{"bounds of retries", func(c *Config) {
			c.Destinations[0].Retries = []time.Duration{100 * time.Millisecond, 720 * time.Hour, 99 * time.Millisecond, 720*time.Hour + 1}
		}, "destinations[0].retries[2]: 99ms is not between 100ms and 30d\n" +
			"destinations[0].retries[3]: 720h0m0.000000001s is not between 100ms and 30d"},
		{"no Retry-After", func(c *Config) { c.Destinations[0].RetryAfterMax = 0 }, ""},
		{"most Retry-After", func(c *Config) { c.Destinations[0].RetryAfterMax = 24 * time.Hour }, ""},
		{
			"Retry-After too long", func(c *Config) { c.Destinations[0].RetryAfterMax = 48 * time.Hour },
			"destinations[0].retry_after_max: 2d is not between 0s and 24h",
		},
		{
			"Retry-After negative", func(c *Config) { c.Destinations[0].RetryAfterMax = -time.Second },
			"destinations[0].retry_after_max: -1s is not between 0s and 24h",
		},

		{"header with a tab", func(c *Config) { c.Destinations[0].Headers = Headers{"X-A": "a\tb", "X-B": ""} }, ""},
		{
			"header without name", func(c *Config) { c.Destinations[0].Headers = Headers{"": "a"} },
			`destinations[0].headers."": is not a header name`,
		},

		{"least patience", func(c *Config) { c.UnknownPatience = time.Minute }, ""},
		{"most patience", func(c *Config) { c.UnknownPatience = 720 * time.Hour }, ""},
		{
			"patience too short", func(c *Config) { c.UnknownPatience = 59 * time.Second },
			"unknown_patience: 59s is not between 1m and 30d",
		},
		{"50 former names", func(c *Config) { c.Destinations[0].Formerly = names(50) }, ""},
		{
			"51 former names", func(c *Config) { c.Destinations[0].Formerly = names(51) },
			"destinations[0].formerly: has 51 names; at most 50 are allowed",
		},
		{"no overlap", func(c *Config) { c.SecretOverlap = 0 }, ""},
		{"longest overlap", func(c *Config) { c.SecretOverlap = 720 * time.Hour }, ""},
		{"negative overlap", func(c *Config) { c.SecretOverlap = -time.Second }, "secret_overlap: -1s is not between 0s and 30d"},
		{"overlap too long", func(c *Config) { c.SecretOverlap = 721 * time.Hour }, "secret_overlap: 721h is not between 0s and 30d"},
		{"least body", func(c *Config) { c.MaxBodyBytes = 1024 }, ""},
		{"most body", func(c *Config) { c.MaxBodyBytes = 1572864 }, ""},
		{"body too small", func(c *Config) { c.MaxBodyBytes = 1023 }, "max_body_bytes: 1023 is not between 1024 and 1572864"},
		{"body too large", func(c *Config) { c.MaxBodyBytes = 1572865 }, "max_body_bytes: 1572865 is not between 1024 and 1572864"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			cfg := validConfig()
			tt.give(&cfg)
			err := cfg.Validate()
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
			var field *FieldError
			require.ErrorAs(t, err, &field)
		})
	}
}

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = "old-" + strconv.Itoa(i)
	}
	return list
}

func waits(n int) []time.Duration {
	list := make([]time.Duration, n)
	for i := range list {
		list[i] = time.Second
	}
	return list
}

func TestCourierKeepsItsOwnHeaders(t *testing.T) {
	t.Parallel()

	for _, name := range []string{
		"Content-Type", "Content-Length", "Host", "User-Agent", "X-GitBook-Signature", "x-gitbook-signature",
		"webhook-id", "Webhook-Timestamp", "WEBHOOK-SIGNATURE", "Courier-Attempt", "courier-anything", "Connection",
		"Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade",
	} {
		cfg := validConfig()
		cfg.Destinations[0].Headers = Headers{name: "a"}
		require.EqualError(t, cfg.Validate(),
			"destinations[0].headers."+name+": is a header that Courier or HTTP itself sets")
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()

	const (
		notURL  = "is not an absolute http or https URL with a host"
		control = "holds a line break or another control character"
		user    = "must not hold a user name or password; send them as an Authorization header, in headers"
		domain  = "has a host that is no domain name; write an international one in its ASCII form (xn--…)"
		port    = "has a port that is not between 1 and 65535"
	)
	tests := []struct {
		give string
		want string
	}{
		{"http://a", ""},
		{"HTTPS://example.com:8443/hook?key=1&b=%2F", ""},
		{"http://[::1]:8080/", ""},
		{"https://bücher.example/", ""},
		{"https://example.com/ein Blatt/ü?q=ein Wort&ü=1", ""},
		{"https://bü cher.example/", notURL},
		{"https://-bücher-.example/", domain},
		{"https://a_ü.example/", domain},
		{"https://example.com/" + strings.Repeat("a", 2048-20), ""},
		{"https://example.com/" + strings.Repeat("a", 2049-20), "is longer than 2048 bytes"},
		{"", "is required"},
		{"example.com/hook", notURL},
		{"//example.com/hook", notURL},
		{"/hook", notURL},
		{"http:example.com", notURL},
		{"http:///hook", notURL},
		{"http://:80/hook", notURL},
		{"ftp://example.com", notURL},
		{"http://exa mple.com", notURL},
		{"https://user:p@ss:word/x", notURL},
		{" https://example.com", notURL},
		{"https://example.com/%zz", notURL},
		{"https://user@example.com", user},
		{"https://user:pass@example.com", user},
		{"https://@example.com", user},
		{"https://example.com/#", "must not have a fragment (#…), which is never sent"},
		{"https://example.com/#top", "must not have a fragment (#…), which is never sent"},
		{"https://example.com/\n", control},
		{"https://example.com/\u0085", control},
		{"https://example.com/\x00", control},
		{"https://example.com:0/", port},
		{"https://example.com:65536/", port},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()

			err := checkURL(tt.give)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, tt.want)
		})
	}
}
