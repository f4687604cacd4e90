package e2e_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// accessibility is the script of axe-core, which npm installs.
const accessibility = "testdata/npm/node_modules/axe-core/axe.min.js"

// requireAccessible holds a page against the rules of WCAG 2.1 AA and axe's best practices.
func (b browser) requireAccessible(t *testing.T, page string) {
	t.Helper()
	script, err := os.ReadFile(filepath.FromSlash(accessibility))
	if os.IsNotExist(err) {
		require.NotEqual(t, "true", os.Getenv("CI"), "axe-core is not installed")
		t.Logf("%s is not checked: axe-core is not installed; run make test", page)
		return
	}
	require.NoError(t, err)
	b.evaluate(t, "the style sheet", `document.readyState === "complete" && document.styleSheets.length > 0`)
	const run = `;axe.run(document).then(found => { window.violations = found.violations.map(v => v.id + ": " + v.nodes.map(n => n.target + " " + n.failureSummary).join("; ")).join("\n") || "none" }); ""`
	_, err = chromedp.Run(b.page, chromedp.Evaluate[string](string(script)+run))
	require.NoError(t, err)
	violations := waitFor(t, "axe", func() (string, bool) {
		found, err := chromedp.Run(b.page, chromedp.Evaluate[string](`window.violations ?? ""`))
		require.NoError(t, err)
		return found, found != ""
	})
	require.Equal(t, "none", violations, page)
}

// button and link are where a page has one, by the beginning of its name.
func button(name string) string {
	return `//main//button[starts-with(normalize-space(.), "` + name + `")]`
}
func link(name string) string { return `//a[contains(normalize-space(.), "` + name + `")]` }

// click clicks on an element as soon as the page has it. The page may be on its way to another.
func (b browser) click(t *testing.T, path string) {
	t.Helper()
	script := fmt.Sprintf(`(() => { const e = document.evaluate(%q, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE).singleNodeValue; e?.click(); return e !== null })()`, path)
	b.evaluate(t, path, script)
}

// fill fills a field in.
func (b browser) fill(t *testing.T, name, value string) {
	t.Helper()
	b.evaluate(t, "field "+name, fmt.Sprintf(`(() => { const e = document.querySelector('main input[name=%s]'); if (e) { e.value = %q } return e !== null })()`, name, value))
}

// evaluate runs a script until it is true.
func (b browser) evaluate(t *testing.T, what, script string) {
	t.Helper()
	waitFor(t, what, func() (string, bool) {
		done, err := chromedp.Run(b.page, chromedp.Evaluate[bool](script))
		return fmt.Sprint(err), err == nil && done
	})
}

// reload loads a page until it shows all these texts.
func (b browser) reload(t *testing.T, address string, texts ...string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%q at %s", texts, address), func() (string, bool) {
		b.do(t, address, chromedp.Navigate(address))
		text := b.text(t)
		return text, containsAll(text, texts...)
	})
}

// Somebody who has read nothing finds what has failed and sends it again, with scripts and without,
// by day and by night.
func TestConsole(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, scheme string
		scripts      bool
	}{
		{"light", "light", true},
		{"dark", "dark", true},
		{"without scripts", "light", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := openBrowser(t)
			const token = "a-token-for-the-console-tests"
			_, err := chromedp.Call(b.page, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: tt.scheme}},
			})
			require.NoError(t, err)
			_, err = chromedp.Call(b.page, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !tt.scripts})
			require.NoError(t, err)
			check := func(page string) {
				if tt.scripts {
					b.requireAccessible(t, page)
				}
				b.picture(t, "console-"+page+"-"+strings.ReplaceAll(tt.name, " ", "-"))
			}
			search, slack := hooktest.New(t), hooktest.New(t, hooktest.Answer{Status: http.StatusGone, Body: "<script>alert(1)</script> moved"}, hooktest.Answer{Status: http.StatusGone})
			courier := start(t, t.TempDir(), "access: {tokens: ["+token+"]}\n"+configuration(
				destination("search-index", search.URL, events("site_view")), destination("slack-bot", slack.URL, events("page_feedback")),
			))
			asked := b.logIn(t, token)
			for i := range 2 {
				accepted(t, courier.relay(t, event("page_feedback", fmt.Sprintf("evt_failed_%d", i))))
				accepted(t, courier.relay(t, strings.Replace(event("site_view", fmt.Sprintf("evt_fine_%d", i)), "{", `{"hostile":"<img src=x onerror=alert(1)>\u202e",`, 1)))
			}
			b.do(t, "open", chromedp.Navigate(string(courier.starter)+"/"))
			b.shows(t, "Temporal is reachable", "1 worker at work", "Destinations", "search-index", "slack-bot", "failing", "Rejected: 410 Gone", "Last 24 hours")
			require.Positive(t, asked.Load(), "the browser asks for the token")
			check("overview")

			b.click(t, `//li[contains(., "search-index")]//button[starts-with(., "Pause")]`)
			b.shows(t, "paused since")
			b.click(t, button("Resume"))
			b.shows(t, "Pause search-index")

			b.click(t, link("Deliveries"))
			b.shows(t, "evt_failed_0", "evt_failed_1", "evt_fine_0", "undelivered", "delivered")
			check("deliveries")
			b.fill(t, "destination", "slack-bot")
			b.click(t, button("Show"))
			b.shows(t, "evt_failed_1", "Show all")
			require.NotContains(t, b.text(t), "evt_fine_0")
			b.click(t, link("evt_failed_1"))
			b.shows(t, "given up: Rejected: 410 Gone", "Attempt 1: Rejected, answered 410", "First send", "This run in Temporal's UI")
			check("delivery")
			b.click(t, button("Redeliver"))
			b.shows(t, "Redelivery")

			b.click(t, link("Send many again"))
			b.shows(t, "There are none.")
			b.fill(t, "destination", "slack-bot")
			b.click(t, button("Count"))
			b.shows(t, "Count of", "nothing was sent")
			b.reload(t, b.address(t), "matched; nothing was sent", "Send these again")
			check("count")
			b.click(t, button("Send these again"))
			b.shows(t, "Redelivery of", "started, up to 50 a second")
			check("job")
			b.click(t, link("All jobs"))
			b.shows(t, "counted only", "undelivered to slack-bot")
			check("jobs")
			b.reload(t, string(courier.starter)+"/console/deliveries?destination=slack-bot&status=delivered", "evt_failed_0", "evt_failed_1")

			b.click(t, link("Try it"))
			b.shows(t, "A sample event goes to the destination")
			check("try")
			b.click(t, button("Send a sample"))
			b.shows(t, "test_", "Sample, sent for a test")
			b.do(t, "hostile", chromedp.Navigate(string(courier.starter)+"/console/deliveries/search-index/evt_fine_1"))
			b.shows(t, "evt_fine_1", `<img src=x onerror=alert(1)>`)
			require.NotContains(t, b.text(t), "\u202e")
		})
	}
}

// text is all the text of the page.
func (b browser) text(t *testing.T) string {
	t.Helper()
	text, err := chromedp.Run(b.page, chromedp.Evaluate[string](readPage))
	require.NoError(t, err)
	return text
}

// address is where the browser is.
func (b browser) address(t *testing.T) string {
	t.Helper()
	address, err := chromedp.Run(b.page, chromedp.Evaluate[string](`location.href`))
	require.NoError(t, err)
	return address
}
