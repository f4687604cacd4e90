package gitbook

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	installed   = `"installation":{"id":"inst_def456","configuration":{"webhookUrl":"https://hooks.example.com/a?k=1","secret":"s3cret"}}`
	environment = `{"apiEndpoint":"https://api.gitbook.com","apiTokens":{"integration":"token-1","installation":"token-2"},` +
		`"signingSecrets":{"integration":"signing-1"},"secrets":{"A":"B"},` + installed +
		`,"siteInstallation":{"site":"site_1","configuration":{"site_view":true,"page_feedback":false}}}`
)

func TestEnvironmentWebhook(t *testing.T) {
	t.Parallel()
	full := Webhook{URL: "https://hooks.example.com/a?k=1", Secret: "s3cret"}
	const space = `"spaceInstallation":`
	const site = `"siteInstallation":`
	const on = `{"configuration":{"site_view":true}}`
	const off = `{"configuration":{"site_view":false}}`
	tests := []struct {
		name   string
		give   string
		want   Webhook
		wantOK bool
	}{
		{name: "as GitBook sends it", give: environment, want: full, wantOK: true},
		{name: "space switch on", give: `{` + installed + `,` + space + on + `}`, want: full, wantOK: true},
		{name: "space switch off", give: `{` + installed + `,` + space + off + `}`},
		{name: "site switch off", give: `{` + installed + `,` + site + off + `}`},
		{
			name: "the space decides: on", give: `{` + installed + `,` + site + off + `,` + space + on + `}`,
			want: full, wantOK: true,
		},
		{name: "the space decides: off", give: `{` + installed + `,` + site + on + `,` + space + off + `}`},
		{name: "the space decides even when it says nothing", give: `{` + installed + `,` + site + on + `,` + space + `{}}`},
		{
			name: "null is no space installation", give: `{` + installed + `,` + space + `null,` + site + on + `}`,
			want: full, wantOK: true,
		},
		{name: "neither space nor site", give: `{` + installed + `}`},
		{name: "no switch for the type", give: `{` + installed + `,` + site + `{"configuration":{"page_feedback":true}}}`},
		{name: "a switch that is a string", give: `{` + installed + `,` + site + `{"configuration":{"site_view":"true"}}}`},
		{name: "a switch that is a number", give: `{` + installed + `,` + site + `{"configuration":{"site_view":1}}}`},
		{name: "a switch in another case", give: `{` + installed + `,` + site + `{"configuration":{"Site_View":true}}}`},
		{name: "the last switch counts", give: `{` + installed + `,` + site + `{"configuration":{"site_view":true,"site_view":false}}}`},
		{name: "configuration of the wrong kind", give: `{` + installed + `,` + site + `{"configuration":[true]}}`},
		{name: "no installation", give: `{` + site + on + `}`},
		{name: "installation of the wrong kind", give: `{"installation":"inst_def456",` + site + on + `}`},
		{name: "no URL", give: `{"installation":{"configuration":{"secret":"s"}},` + site + on + `}`},
		{name: "empty URL", give: `{"installation":{"configuration":{"webhookUrl":"","secret":"s"}},` + site + on + `}`},
		{name: "no secret", give: `{"installation":{"configuration":{"webhookUrl":"u"}},` + site + on + `}`},
		{name: "empty secret", give: `{"installation":{"configuration":{"webhookUrl":"u","secret":""}},` + site + on + `}`},
		{name: "secret of the wrong kind", give: `{"installation":{"configuration":{"webhookUrl":"u","secret":5}},` + site + on + `}`},
		{name: "URL in another case", give: `{"installation":{"configuration":{"webhookURL":"u","secret":"s"}},` + site + on + `}`},
		{
			name: "escapes are decoded", want: Webhook{URL: "https://h.example.com/", Secret: "é\n"}, wantOK: true,
			give: `{"installation":{"configuration":{"webhookUrl":"https:\/\/h.example.com\/","secret":"\u00e9\n"}},` + site + on + `}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env, err := ParseEnvironment([]byte(tt.give))
			require.NoError(t, err)
			webhook, ok := env.Webhook(EventSiteView)
			require.Equal(t, tt.wantOK, ok)
			require.Equal(t, tt.want.URL, webhook.URL)
			require.Equal(t, tt.want.Secret, webhook.Secret)
		})
	}
}

func TestParseEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give    string
		want    string
		wantErr string
	}{
		{give: environment, want: "inst_def456"},
		{give: `{}`},
		{give: `{"installation":{"id":5}}`},
		{give: `{"installation":{"ID":"x"}}`},
		{give: ``, wantErr: "environment: is not one JSON object"},
		{give: `null`, wantErr: "environment: is not one JSON object"},
		{give: `[]`, wantErr: "environment: is not one JSON object"},
		{give: environment + "x", wantErr: "environment: is not one JSON object"},
		{give: environment[:100], wantErr: "environment: is not one JSON object"},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			env, err := ParseEnvironment([]byte(tt.give))
			if tt.wantErr != "" {
				require.EqualError(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, env.InstallationID)
		})
	}
}

// Ensure that no way of printing shows the address, the secret, or a token of GitBook's.
func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	env, err := ParseEnvironment([]byte(environment))
	require.NoError(t, err)
	webhook, ok := env.Webhook(EventSiteView)
	require.True(t, ok)

	request := RuntimeRequest{Environment: env}
	hidden := struct{ environment Environment }{env}
	var printed bytes.Buffer
	for _, value := range []any{webhook, &webhook, env, &env, request, &request, hidden, []Webhook{webhook}} {
		fmt.Fprintf(&printed, "%v %+v %#v %s %q %x\n", value, value, value, value, value, value)
		slog.New(slog.NewTextHandler(&printed, nil)).Info("text", "value", value)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("json", "value", value)
		data, err := json.Marshal(value)
		require.NoError(t, err)
		printed.Write(data)
	}
	for _, secret := range []string{"s3cret", "hooks.example.com", "token-1", "token-2", "signing-1", hex.EncodeToString([]byte("s3cret"))} {
		require.NotContains(t, printed.String(), secret)
	}
	require.Equal(t, "Webhook[redacted]", webhook.String())
	require.Equal(t, "Webhook[redacted]", webhook.GoString())
	require.Equal(t, "Webhook[redacted]", webhook.LogValue().String())
	require.Contains(t, printed.String(), "inst_def456")
}

func FuzzParseEnvironment(f *testing.F) {
	for _, seed := range []string{
		environment, `{}`, `{"installation":{"configuration":{"webhookUrl":"u","secret":"s"}},"spaceInstallation":{"configuration":{"site_view":true}}}`,
		`{"installation":null,"siteInstallation":{"configuration":{"site_view":true,"site_view":0}}}`, `{"installation":{"id":"\ud800"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		env, err := ParseEnvironment(data)
		if err != nil {
			require.EqualError(t, err, "environment: is not one JSON object")
			require.Equal(t, Environment{}, env)
			return
		}
		require.True(t, json.Valid(data))
		if webhook, ok := env.Webhook(EventSiteView); ok {
			require.NotEmpty(t, webhook.URL)
			require.NotEmpty(t, webhook.Secret)
			require.Contains(t, string(data), "true")
		}
	})
}
