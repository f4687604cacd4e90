package console

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

//go:embed templates
var templates embed.FS

// pages are the templates by the name of their page.
var pages = parse("overview", "deliveries", "delivery", "jobs", "job", "try", "error")

func parse(names ...string) map[string]*template.Template {
	all := make(map[string]*template.Template, len(names))
	for _, name := range names {
		all[name] = template.Must(template.New("layout.html").Funcs(functions).
			ParseFS(templates, "templates/layout.html", "templates/"+name+".html"))
	}
	return all
}

var functions = template.FuncMap{
	"time":         func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
	"machine":      func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"ms":           func(ms int64) string { return spoken(time.Duration(ms) * time.Millisecond) },
	"deliveryPath": deliveryPath,
	"escape":       url.PathEscape,
	"plural":       plural,
	"deref":        func(t *time.Time) time.Time { return *t },
	"text":         harmless,
}

// view is what every page has.
type view struct {
	// Title is the page's, Section the entry of the navigation that it belongs to.
	Title, Section string
	// Live is whether the page is kept up to date.
	Live bool
	Now  time.Time
	Page any
}

// render answers with a page. It is made completely before its first byte is sent.
func (c *Console) render(w http.ResponseWriter, status int, name string, v view) error {
	v.Now = c.Now()
	var b bytes.Buffer
	if err := pages[name].Execute(&b, v); err != nil {
		return fmt.Errorf("console: %w", err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
	return nil
}

// fail shows an error.
func (c *Console) fail(w http.ResponseWriter, r *http.Request, err error) {
	shown, ok := errors.AsType[*respond.Error](err)
	if !ok {
		shown = &respond.Error{Status: http.StatusInternalServerError, Message: "internal error; the server's log says more", Cause: err}
	}
	if shown.Status >= http.StatusInternalServerError {
		c.Log.LogAttrs(r.Context(), slog.LevelError, "page failed", slog.String("path", r.URL.Path), slog.Any("error", shown))
	}
	page := struct{ Status, Message, Back string }{http.StatusText(shown.Status), shown.Message, back(r)}
	if err := c.render(w, shown.Status, "error", view{Title: page.Status, Page: page}); err != nil {
		respond.Refuse(w, shown)
	}
}

// back is the page from which an act was asked for: the path without the act.
func back(r *http.Request) string {
	if r.Method != http.MethodPost {
		return Path
	}
	path := r.URL.EscapedPath()
	if strings.HasPrefix(path, Path+"/deliveries/") {
		return path[:strings.LastIndexByte(path, '/')]
	}
	return Path
}

// plural is a number and its noun.
func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// spoken is a duration as people say it, with the two largest of its units.
func spoken(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// harmless is a text from outside in which every character that changes the text around it, or
// shows nothing, is written out: control characters, marks of direction, bytes that are no UTF-8.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u200b' || r == '\ufeff' {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}

// maxShown bounds what is shown of an event.
const maxShown = 64 << 10

// shownEvent is an event, or the body of a fetch request, for people.
type shownEvent struct {
	// Pretty is indented when the event is JSON. Cut is whether it is only the beginning.
	Pretty string
	Cut    bool
	Size   int
}

func showEvent(event []byte, isJSON bool) shownEvent {
	shown := shownEvent{Size: len(event)}
	if shown.Cut = len(event) > maxShown; shown.Cut {
		event = event[:maxShown]
	}
	var b bytes.Buffer
	if isJSON && json.Indent(&b, event, "", "  ") == nil {
		event = b.Bytes()
	}
	shown.Pretty = harmless(string(event))
	return shown
}

// words are what a status means.
var words = map[deliveries.Status]string{
	deliveries.Pending:     "not attempted yet",
	deliveries.Retrying:    "failed, and will be attempted again",
	deliveries.Held:        "waits until its destination is resumed",
	deliveries.Delivered:   "the destination has taken it",
	deliveries.Undelivered: "given up",
	deliveries.Cancelled:   "given up, because somebody asked for it",
}
