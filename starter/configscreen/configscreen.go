// Package configscreen is the settings screen that GitBook shows for the integration. GitBook sends
// ui_render events for the component "config" and draws the ContentKit elements of the answer; the
// administrator's settings are saved with calls of GitBook's API. Nothing of it is stored here, but
// for a secret that is replaced: Overlaps lets it sign for a while longer.
//
// The screen is that of GitBook's own Webhook integration 1.1.0, except that everything is checked
// before anything is saved.
package configscreen

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/starter/respond"
)

// component is the id of the screen in the integration's manifest.
const component = "config"

// Actions of the screen's buttons.
const (
	actionRegenerate = "regenerate.secret"
	actionSave       = "save.config"
)

// secretBytes is how many random bytes a new secret has, as GitBook's own.
const secretBytes = 32

// errIncomplete is an event or environment without something that GitBook always sends.
var errIncomplete = errors.New("the event or its environment is incomplete")

// Overlaps lets secrets that are replaced sign for a while longer; *deliveries.Overlaps is one.
type Overlaps interface {
	// Keep is called before a secret of an installation gives way to another in GitBook.
	Keep(ctx context.Context, installation, old, by string) error
}

// Screen answers ui_render events.
type Screen struct {
	api       api
	overlaps  Overlaps
	newSecret func() string
}

// New makes a screen that saves with the API at the base URL, such as https://api.gitbook.com,
// through the proxy at a URL if that is not empty. It does no I/O.
func New(apiURL, proxy string, overlaps Overlaps) (*Screen, error) {
	a, err := newAPI(apiURL, proxy)
	return &Screen{api: a, overlaps: overlaps, newSecret: newSecret}, err
}

func newSecret() string {
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // It never fails.
	return base64.RawURLEncoding.EncodeToString(secret)
}

// Answer is the JSON with which an event is answered that asks for the screen, and false for other
// events. Its errors are for the caller to see, with a cause that names no secret and no token.
func (s *Screen) Answer(ctx context.Context, event gitbook.Event, environment gitbook.Environment) (answer any, asked bool, err error) {
	id, _ := event.Field("componentId")
	if name, _ := text(id); event.Type != gitbook.EventUIRender || name != component {
		return nil, false, nil
	}
	answer, err = s.answer(ctx, event, environment)
	if _, shown := errors.AsType[*respond.Error](err); err == nil || shown {
		return answer, true, err
	}
	// The words of GitBook's runtime for any error that an integration does not mean to be shown.
	return nil, true, &respond.Error{Status: http.StatusInternalServerError, Message: "Internal server error", Cause: err}
}

func (s *Screen) answer(ctx context.Context, event gitbook.Event, environment gitbook.Environment) (any, error) {
	// GitBook's runtime reads the tokens first, whatever the event is.
	if tokens, _ := environment.Field("apiTokens"); tokens == nil || string(tokens) == "null" {
		return nil, errIncomplete
	}
	props, _ := event.Field("props")
	state, _ := event.Field("state")
	if !truthy(state) {
		if props == nil || string(props) == "null" {
			return nil, errIncomplete
		}
		state = s.initialState(props, environment)
	}
	action, _ := event.Field("action", "action")
	pressed, _ := text(action)
	switch pressed {
	case actionSave:
		if err := s.save(ctx, fields(state), environment); err != nil {
			return nil, err
		}
		return struct {
			Type string `json:"type"`
		}{"complete"}, nil
	case actionRegenerate:
		state = fields(state).with(secretField, quote(s.newSecret())).raw()
	}
	element, err := draw(fields(state), environment)
	if err != nil {
		return nil, err
	}
	return drawing{Type: "element", State: state, Props: props, Element: element}, nil
}

// drawing is the answer that GitBook draws.
type drawing struct {
	Type    string          `json:"type"`
	State   json.RawMessage `json:"state"`
	Props   json.RawMessage `json:"props,omitempty"`
	Element element         `json:"element"`
}
