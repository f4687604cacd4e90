package gitbook

import (
	"encoding/json"
	"log/slog"
)

// Environment is what Courier keeps of an IntegrationEnvironment: which installation an event
// belongs to, where it wants its webhooks, and which types it has switched on. GitBook's API tokens
// and signing secrets are read by those alone who ask for them with Field, so they are not passed on
// by mistake.
type Environment struct {
	// InstallationID is installation.id; empty when there is none.
	InstallationID string

	// webhook is nil without a complete webhook. It is a function because fmt prints unexported
	// fields without asking their String methods, and some verbs follow pointers too; of a function
	// they know the address alone.
	webhook  func() Webhook
	switches map[string]bool
	// raw is a function for the same reason.
	raw func() []byte
}

// ParseEnvironment reads one JSON object as an environment. What is missing or of another kind than
// the schema has it counts as not configured, since GitBook leaves members out freely. The error is
// a *FieldError for the field "environment".
func ParseEnvironment(data []byte) (Environment, error) {
	if !isObject(data) {
		return Environment{}, &FieldError{Field: "environment", Err: errNotObject}
	}
	installation, _ := lookup(data, "installation")
	environment := Environment{
		InstallationID: stringAt(installation, "id"),
		switches:       make(map[string]bool),
		raw:            func() []byte { return data },
	}
	webhook := Webhook{
		URL:    stringAt(installation, "configuration", "webhookUrl"),
		Secret: stringAt(installation, "configuration", "secret"),
	}
	if webhook.URL != "" && webhook.Secret != "" {
		environment.webhook = func() Webhook { return webhook }
	}
	content, _ := lookup(data, "spaceInstallation")
	if !startsObject(content) {
		content, _ = lookup(data, "siteInstallation")
	}
	configuration, _ := lookup(content, "configuration")
	for name, value := range members(configuration) {
		environment.switches[string(name)] = string(value) == "true"
	}
	return environment, nil
}

// Field returns the value that the names of path lead to from object to object, in JSON exactly as
// it came. It returns false when there is no such member. The environment has API tokens and
// secrets: the value must not be changed, and is for the request that it came with alone.
func (e Environment) Field(path ...string) (json.RawMessage, bool) {
	if e.raw == nil {
		return nil, false
	}
	return lookup(e.raw(), path...)
}

// Webhook returns where the installation wants events of a type delivered. It returns false when
// the URL or the secret is missing or empty, when the event belongs to no space or site
// installation, and when the switch of the type is anything but true. With both a space and a site
// installation the switches of the space decide.
func (e Environment) Webhook(eventType string) (Webhook, bool) {
	if e.webhook == nil || !e.switches[eventType] {
		return Webhook{}, false
	}
	return e.webhook(), true
}

// Webhook is an installation's address for deliveries and the secret that signs them. It prints as
// redacted, the address too, since its path or query may be a credential of its own; and
// encoding/json leaves both out, so that nothing stores them unsealed by mistake.
type Webhook struct {
	URL    string `json:"-"`
	Secret string `json:"-"`
}

const redactedWebhook = "Webhook[redacted]"

// String hides the webhook.
func (Webhook) String() string { return redactedWebhook }

// GoString hides the webhook.
func (Webhook) GoString() string { return redactedWebhook }

// LogValue hides the webhook.
func (Webhook) LogValue() slog.Value { return slog.StringValue(redactedWebhook) }
