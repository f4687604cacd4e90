package configscreen

import (
	"encoding/json"

	"github.com/gitbook-courier/courier/gitbook"
)

// element is an element of ContentKit, GitBook's language for screens. A member that is not set is
// left out; the schema ContentKitRenderOutput of the npm package @gitbook/api has them all.
type element struct {
	Type        string          `json:"type"`
	Style       string          `json:"style,omitempty"`
	Size        string          `json:"size,omitempty"`
	Align       string          `json:"align,omitempty"`
	Grow        int             `json:"grow,omitempty"`
	Label       *string         `json:"label,omitempty"`
	Hint        *string         `json:"hint,omitempty"`
	State       string          `json:"state,omitempty"`
	Placeholder string          `json:"placeholder,omitempty"`
	Tooltip     string          `json:"tooltip,omitempty"`
	Disabled    *bool           `json:"disabled,omitempty"`
	Target      *target         `json:"target,omitempty"`
	OnPress     *press          `json:"onPress,omitempty"`
	Content     json.RawMessage `json:"content,omitempty"`
	Element     *element        `json:"element,omitempty"`
	// Children are elements and texts.
	Children []any `json:"children,omitempty"`
}

type target struct {
	URL string `json:"url"`
}

type press struct {
	Action string `json:"action"`
}

// level is the installation whose switches the screen shows.
type level struct {
	// name is GitBook's word for it, empty for an organization, which has no switches.
	name string
	// installation is where the environment has it.
	installation string
	// path and id are its segment in the API's paths and the member with its id.
	path, id string
	switches []toggle
}

// toggle is a switch.
type toggle struct{ label, field string }

var (
	spaceLevel = level{
		name: "space", installation: "spaceInstallation", path: "spaces", id: "space",
		switches: []toggle{{"Content updates", contentUpdateField}},
	}
	siteLevel = level{
		name: "site", installation: "siteInstallation", path: "sites", id: "site",
		switches: []toggle{{"Site views", siteViewField}, {"Page feedbacks", pageFeedbackField}},
	}
)

// levelOf is the space installation of an environment, else its site installation.
func levelOf(environment gitbook.Environment) level {
	for _, l := range []level{spaceLevel, siteLevel} {
		if installation, _ := environment.Field(l.installation); truthy(installation) {
			return l
		}
	}
	return level{}
}

// draw is the screen for a state.
func draw(state object, environment gitbook.Environment) (element, error) {
	documentation, err := documentationURL(environment)
	if err != nil {
		return element{}, err
	}
	l := levelOf(environment)
	divider := element{Type: "divider", Size: "medium"}
	children := []any{
		input("Webhook URL", element{Type: "textinput", State: urlField, Placeholder: "https://your-domain.com/webhook"}),
		divider,
		element{Type: "markdown", Content: quote("### Secret")},
		element{Type: "text", Children: []any{
			"Use this secret to verify the GitBook webhook signatures (SHA-256 HMAC). See our", " ",
			element{Type: "link", Target: &target{documentation}, Children: []any{"documentation"}},
			" ", "for implementation examples.",
		}},
		element{Type: "hstack", Align: "center", Children: []any{
			element{Type: "box", Grow: 1, Children: []any{element{Type: "codeblock", Content: state.get(secretField)}}},
			regenerateButton(!same(state.get(secretField), storedSecret(environment))),
		}},
		divider,
		element{Type: "text", Children: []any{"Select which events you want to receive for this ", l.name, ":"}},
	}
	for _, s := range l.switches {
		children = append(children, input(s.label, element{Type: "switch", State: s.field}))
	}
	return element{Type: "configuration", Children: append(children, divider, saveButton(l))}, nil
}

func input(label string, of element) element {
	return element{Type: "input", Label: &label, Element: &of}
}

// regenerateButton is disabled while the secret on the screen is not saved.
func regenerateButton(disabled bool) element {
	label := "Regenerate"
	return element{
		Type: "button", Style: "secondary", Label: &label, Tooltip: "Generate a new secret",
		Disabled: &disabled, OnPress: &press{actionRegenerate},
	}
}

func saveButton(l level) element {
	label, none := "Save Configuration", ""
	button := element{
		Type: "button", Style: "primary", Label: &label,
		Tooltip: "Save webhook configuration and event preferences for this " + l.name,
		OnPress: &press{actionSave},
	}
	of := input("", button)
	of.Hint = &none
	return of
}

// documentationURL leads to the part about signatures of the page that the integration's manifest
// names first. An environment without the list of links is no environment of GitBook's.
func documentationURL(environment gitbook.Environment) (string, error) {
	links, _ := environment.Field("integration", "externalLinks")
	if links == nil || string(links) == "null" {
		return "", errIncomplete
	}
	var list []json.RawMessage
	_ = json.Unmarshal(links, &list) // Anything but a list has no first link.
	var url json.RawMessage
	if len(list) > 0 {
		url = at(list[0], "url")
	}
	return gitbook.JavaScriptText(url) + "#signature-verification-example", nil
}
