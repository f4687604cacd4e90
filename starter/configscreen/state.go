package configscreen

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/gitbook-courier/courier/gitbook"
)

// Names of the screen's state. The last three are also those of the switches in the configuration
// of a space or site installation, and the first two those of the installation's configuration.
const (
	urlField           = "webhookUrl"
	secretField        = "secret"
	contentUpdateField = gitbook.EventSpaceContentUpdated
	siteViewField      = gitbook.EventSiteView
	pageFeedbackField  = gitbook.EventPageFeedback
)

// initialState is the state before the first action: URL and secret as GitBook has them stored, and
// the switches as GitBook sends them to the screen.
func (s *Screen) initialState(props json.RawMessage, environment gitbook.Environment) json.RawMessage {
	url, _ := environment.Field("installation", "configuration", urlField)
	if !truthy(url) {
		url = quote("")
	}
	secret := storedSecret(environment)
	if !truthy(secret) {
		secret = quote(s.newSecret())
	}
	var state object
	return state.
		with(urlField, url).
		with(secretField, secret).
		with(contentUpdateField, switched(props, "spaceInstallation", contentUpdateField)).
		with(siteViewField, switched(props, "siteInstallation", siteViewField)).
		with(pageFeedbackField, switched(props, "siteInstallation", pageFeedbackField)).raw()
}

// storedSecret is the secret that GitBook has stored, nil when there is none.
func storedSecret(environment gitbook.Environment) json.RawMessage {
	secret, _ := environment.Field("installation", "configuration", secretField)
	return secret
}

// switched is a switch of the props' space or site installation, off when it is not there.
func switched(props json.RawMessage, installation, name string) json.RawMessage {
	value := at(props, installation, "configuration", name)
	if value == nil || string(value) == "null" {
		return json.RawMessage("false")
	}
	return value
}

// object is a JSON object whose members keep their order, as JavaScript's do.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// fields are the members of a JSON object; anything else has none.
func fields(raw json.RawMessage) object {
	var o object
	places := make(map[string]int) // There may be very many.
	decoder := json.NewDecoder(bytes.NewReader(raw))
	if start, err := decoder.Token(); err != nil || start != json.Delim('{') {
		return nil
	}
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			return nil // Not reached with valid JSON.
		}
		text, _ := name.(string)
		if place, twice := places[text]; twice {
			o[place].value = value
			continue
		}
		places[text] = len(o)
		o = append(o, member{text, value})
	}
	return o
}

// at is the value that names lead to from object to object, nil when there is none.
func at(raw json.RawMessage, names ...string) json.RawMessage {
	for _, name := range names {
		raw = fields(raw).get(name)
	}
	return raw
}

// get is a member's value, nil when there is none.
func (o object) get(name string) json.RawMessage {
	for _, m := range o {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// with is the object with a member of that value, at its old place if it had one. The object itself
// must not be used any more.
func (o object) with(name string, value json.RawMessage) object {
	old := slices.IndexFunc(o, func(m member) bool { return m.name == name })
	if old < 0 {
		return append(o, member{name, value})
	}
	o[old].value = value
	return o
}

// pick is the object's members of these names, as far as there are any.
func (o object) pick(names ...string) object {
	var picked object
	for _, name := range names {
		if value := o.get(name); value != nil {
			picked = picked.with(name, value)
		}
	}
	return picked
}

func (o object) raw() json.RawMessage {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(quote(m.name))
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// MarshalJSON implements json.Marshaler.
func (o object) MarshalJSON() ([]byte, error) { return o.raw(), nil }

// quote is a text as JSON, without escaping what HTML would need.
func quote(s string) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // A string can always be encoded.
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// text is the text of a JSON string, and false for anything else.
func text(raw json.RawMessage) (string, bool) {
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// truthy is whether JavaScript takes a value for true. nil is its undefined.
func truthy(raw json.RawMessage) bool {
	switch string(raw) {
	case "", "null", "false", `""`:
		return false
	}
	var number float64
	return json.Unmarshal(raw, &number) != nil || number != 0
}

// same is whether JavaScript's === holds for two values. Two objects are never the same.
func same(a, b json.RawMessage) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	switch x.(type) {
	case map[string]any, []any:
		return false
	}
	switch y.(type) {
	case map[string]any, []any:
		return false
	}
	return x == y
}
