package config

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// brokenFiles are configurations with everything that is said about them. Lines count from the one
// after the opening quote, which is line 2.
var brokenFiles = []struct {
	name string
	give string
	want []string
}{
	{
		name: "everything at once, in the order of the lines",
		give: `
listen: 0.0.0.0:8080
acess:
  tokens: [x]
sealing_keys: [abc]
sources:
  - name: Docs
    secrets: ["${UNSET}", "${EMPTY}"]
destinations:
  - name: one
    url: https://example.com
    secrets: ["${UNSET}"]
    timeout: 50ms
    retry: [1s]
  - url: ftp://example.com
    timeout: soon
max_body_bytes: 10
max_requests: many
egress_proxy: "proxy:3128"
`,
		want: []string{
			"courier.yaml:2: access.tokens: is required, because listen is not a loopback address; give a token of at least 16 characters",
			"courier.yaml:3: acess: is not a key that exists here; did you mean access?",
			"courier.yaml:5: sealing_keys[0]: is base64 of 2 bytes, not of 32; make one with `openssl rand -base64 32`",
			"courier.yaml:7: sources[0].name: Docs is not a name: 1 to 63 of a-z, 0-9 and -, not beginning with -",
			"courier.yaml:8: sources[0].secrets[0]: ${UNSET} is not set in the environment",
			"courier.yaml:8: sources[0].secrets[1]: is empty",
			"courier.yaml:12: destinations[0].secrets[0]: ${UNSET} is not set in the environment",
			"courier.yaml:13: destinations[0].timeout: 50ms is not between 100ms and 30s",
			"courier.yaml:14: destinations[0].retry: is not a key that exists here; did you mean retries?",
			"courier.yaml:15: destinations[1].name: is required",
			"courier.yaml:15: destinations[1].url: is not an absolute http or https URL with a host",
			"courier.yaml:15: destinations[1].secrets: needs at least one secret",
			"courier.yaml:16: destinations[1].timeout: soon is not a duration; write a number with a unit (ms, s, m, h or d), such as 10s",
			"courier.yaml:17: max_body_bytes: 10 is not between 1024 and 1572864",
			"courier.yaml:18: max_requests: many is not a whole number",
			"courier.yaml:19: egress_proxy: is not an http, https or socks5 URL with a host",
		},
	},
	{
		name: "unknown keys",
		give: `
Listen: localhost:80
maxBodyBytes: 2048
something: else
access: {token: x, planted2: x, planted2: x}
"a b\nc": 1
sources: [{name: a, secrets: [s], planted-Key: x}]
`,
		want: []string{
			"courier.yaml:2: has a key that does not exist here; did you mean listen?",
			"courier.yaml:3: has a key that does not exist here; did you mean max_body_bytes?",
			"courier.yaml:4: something: is not a key that exists here",
			"courier.yaml:5: access.token: is not a key that exists here; did you mean tokens?",
			"courier.yaml:5: access: has a key that does not exist here",
			"courier.yaml:5: access: has a key that is given twice; the first is on line 5",
			"courier.yaml:6: has a key that does not exist here",
			"courier.yaml:7: sources[0]: has a key that does not exist here",
		},
	},
	{
		name: "keys given twice",
		give: `
listen: localhost:80
listen: localhost:81
destinations:
  - {name: a, url: "http://a", secrets: [s], headers: {X-A: "1", X-A: "2"}, name: b}
? [listen]
: x
`,
		want: []string{
			"courier.yaml:3: listen: is given twice; the first is on line 2",
			"courier.yaml:5: destinations[0].headers.X-A: is given twice; the first is on line 5",
			"courier.yaml:5: destinations[0].name: is given twice; the first is on line 5",
			"courier.yaml:6: a key must be a name, not a list",
		},
	},
	{
		name: "wrong types",
		give: `
listen: [localhost:80]
access: open
sealing_keys: {a: b}
installations:
  - inst_1
  - id: inst_2
    allow_private: yes
sources:
destinations:
  - name: a
    url: {host: a}
    secrets: s
    timeout: 10
    retries: [1s, ~, [2s], 1w]
    headers: [X-A]
max_body_bytes: 1MiB
`,
		want: []string{
			"courier.yaml:2: listen: must be a single value, not a list",
			"courier.yaml:3: access: must have keys of its own, not a single value",
			"courier.yaml:4: sealing_keys: must be a list, not a mapping",
			"courier.yaml:6: installations[0]: must have keys of its own, not a single value",
			"courier.yaml:8: installations[1].allow_private: yes is not true or false",
			"courier.yaml:9: sources: has no value; give it one or leave it out",
			"courier.yaml:12: destinations[0].url: must be a single value, not a mapping",
			"courier.yaml:13: destinations[0].secrets: must be a list, not a single value",
			"courier.yaml:14: destinations[0].timeout: 10 is not a duration; write a number with a unit (ms, s, m, h or d), such as 10s",
			"courier.yaml:15: destinations[0].retries[1]: has no value; give it one or leave it out",
			"courier.yaml:15: destinations[0].retries[2]: must be a single value, not a list",
			"courier.yaml:15: destinations[0].retries[3]: 1w is not a duration; write a number with a unit (ms, s, m, h or d), such as 10s",
			"courier.yaml:16: destinations[0].headers: must have keys of its own, not a list",
			"courier.yaml:17: max_body_bytes: 1MiB is not a whole number",
		},
	},
	{
		name: "not a mapping",
		give: "\n- listen: localhost:80\n",
		want: []string{"courier.yaml:2: must have keys of its own, not a list"},
	},
	{
		name: "a value that contains itself",
		give: "\nsources: &loop [*loop]\n",
		want: []string{"courier.yaml:2: sources[0]: must have keys of its own, not a list"},
	},
	{
		name: "tags",
		give: "\nlisten: !env LISTEN\naccess:\n  tokens:\n    - !secret\n",
		want: []string{
			"courier.yaml:2: listen: YAML tags are not supported; a value that begins with ! goes in quotes",
			"courier.yaml:5: access.tokens[0]: YAML tags are not supported; a value that begins with ! goes in quotes",
		},
	},
	{
		name: "variables are named, and what they hold is not shown",
		give: `
listen: ${MARKER}
installations: [{id: "${MARKER}/x"}]
destinations:
  - name: ${MARKER}
    url: https://${MARKER}:${MARKER}/
    secrets: ["${UNSET}${UNSET_TOO}", "${}", "${not closed", "${MARKER}", "${MARKER}"]
    timeout: ${MARKER}
    retries: ["${YEAR}"]
    allow_private: ${MARKER}
    events: ["${MARKER}"]
max_body_bytes: ${MARKER}
`,
		want: []string{
			"courier.yaml:2: listen: ${MARKER} is not host:port with a port of at most 65535, such as 127.0.0.1:8080",
			"courier.yaml:3: sealing_keys: is required, because installations are given; make a key with `openssl rand -base64 32`",
			"courier.yaml:3: installations[0].id: ${MARKER}/x is not an installation's id: 1 to 128 visible ASCII characters without / and @",
			"courier.yaml:5: destinations[0].name: ${MARKER} is not a name: 1 to 63 of a-z, 0-9 and -, not beginning with -",
			"courier.yaml:6: destinations[0].url: is not an absolute http or https URL with a host",
			"courier.yaml:7: destinations[0].secrets[0]: ${UNSET} is not set in the environment",
			"courier.yaml:7: destinations[0].secrets[0]: ${UNSET_TOO} is not set in the environment",
			"courier.yaml:7: destinations[0].secrets[1]: has a ${ that names neither a variable nor a file; write ${NAME} or ${file:PATH}, or $${ for a literal ${",
			"courier.yaml:7: destinations[0].secrets[2]: has a ${ that names neither a variable nor a file; write ${NAME} or ${file:PATH}, or $${ for a literal ${",
			"courier.yaml:7: destinations[0].secrets[4]: is the same as destinations[0].secrets[3]",
			"courier.yaml:8: destinations[0].timeout: ${MARKER} is not a duration; write a number with a unit (ms, s, m, h or d), such as 10s",
			"courier.yaml:9: destinations[0].retries[0]: ${YEAR} is not between 100ms and 30d",
			"courier.yaml:10: destinations[0].allow_private: ${MARKER} is not true or false",
			"courier.yaml:11: destinations[0].events[0]: ${MARKER} is not an event type, such as space_content_updated",
			"courier.yaml:12: max_body_bytes: ${MARKER} is not a whole number",
		},
	},
	{
		name: "headers",
		give: `
destinations:
  - name: a
    url: http://a
    secrets: [s]
    headers:
      X-Team: ${UNSET}
      x-team: docs
      X-Nothing:
      "X Team": docs
      Content-Type: text/plain
      webhook-id: a
      Courier-Attempt: a
      transfer-encoding: a
      X-Break: "a\r\nb"
`,
		want: []string{
			"courier.yaml:7: destinations[0].headers.X-Team: ${UNSET} is not set in the environment",
			"courier.yaml:8: destinations[0].headers.x-team: is the same header as destinations[0].headers.X-Team",
			"courier.yaml:9: destinations[0].headers.X-Nothing: has no value; give it one or leave it out",
			`courier.yaml:10: destinations[0].headers."X Team": is not a header name`,
			"courier.yaml:11: destinations[0].headers.Content-Type: is a header that Courier or HTTP itself sets",
			"courier.yaml:12: destinations[0].headers.webhook-id: is a header that Courier or HTTP itself sets",
			"courier.yaml:13: destinations[0].headers.Courier-Attempt: is a header that Courier or HTTP itself sets",
			"courier.yaml:14: destinations[0].headers.transfer-encoding: is a header that Courier or HTTP itself sets",
			"courier.yaml:15: destinations[0].headers.X-Break: holds a line break or another control character",
		},
	},
	{
		name: "secrets without braces",
		give: `
access: {tokens: [$PLANTED_TOKEN]}
sealing_keys: [$PLANTED_KEY]
sources:
  - {name: docs, secrets: ["$planted", $5, a$b]}
`,
		want: []string{
			"courier.yaml:2: access.tokens[0]: " + noBraces,
			"courier.yaml:3: sealing_keys[0]: " + noBraces,
			"courier.yaml:5: sources[0].secrets[0]: " + noBraces,
		},
	},
	{
		name: "former names",
		give: `
destinations:
  - {name: one, url: "http://a", secrets: [s], formerly: [two, old, one, installation.inst_1, Old, ""]}
  - {name: two, url: "http://a", secrets: [s], formerly: [old, older], notify: older}
unknown_patience: 31d
`,
		want: []string{
			"courier.yaml:3: destinations[0].formerly[0]: two is the same as destinations[1].name",
			"courier.yaml:3: destinations[0].formerly[2]: one is the same as destinations[0].name",
			"courier.yaml:3: destinations[0].formerly[3]: installation.inst_1 is a name of an installation's destination, " +
				"which cannot be renamed; leave it out",
			"courier.yaml:3: destinations[0].formerly[4]: Old is not a name: 1 to 63 of a-z, 0-9 and -, not beginning with -",
			"courier.yaml:3: destinations[0].formerly[5]: is required",
			"courier.yaml:4: destinations[1].notify: older is not the name of a destination",
			"courier.yaml:4: destinations[1].formerly[0]: old is the same as destinations[0].formerly[1]",
			"courier.yaml:5: unknown_patience: 31d is not between 1m and 30d",
		},
	},
	{
		name: "two documents",
		give: "\nlisten: localhost:80\n---\nlisten: localhost:81\n",
		want: []string{"courier.yaml:3: a second document begins here; keep one to a file"},
	},
	{
		name: "syntax after the document",
		give: "\nlisten: localhost:80\n---\n\"\\z\"\n",
		want: []string{"courier.yaml:4: is not valid YAML: found unknown escape character"},
	},
	{
		name: "syntax on the first line",
		give: "listen: a: b\n",
		want: []string{"courier.yaml:1: is not valid YAML: mapping values are not allowed in this context"},
	},
	{
		name: "syntax",
		give: "\naccess:\n\ttokens: []\n",
		want: []string{"courier.yaml:3: is not valid YAML: found character that cannot start any token"},
	},
	{
		name: "variable without quotes between brackets",
		give: "\naccess:\n  tokens: [${COURIER_TOKEN}]\n",
		want: []string{"courier.yaml:3: is not valid YAML: did not find expected ',' or ']'; between brackets, ${NAME} goes in quotes"},
	},
	{
		name: "secret that begins with an asterisk",
		give: "\naccess:\n  tokens: [*hunter2hunter2hunter2]\n",
		want: []string{"courier.yaml: is not valid YAML: an alias (*name) has no anchor; a value that begins with * goes in quotes"},
	},
}

func TestParseTellsEverythingThatIsWrong(t *testing.T) {
	t.Parallel()

	lookup := environment(map[string]string{"EMPTY": "", "MARKER": "planted marker", "YEAR": "365d"})
	for _, tt := range brokenFiles {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			cfg, err := Parse([]byte(tt.give), "courier.yaml", Options{Lookup: lookup})
			require.EqualError(t, err, strings.Join(tt.want, "\n"))
			require.Equal(t, Config{}, cfg)
		})
	}
}
