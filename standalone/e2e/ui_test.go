package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/internal/hooktest"
)

// browser is a page in a headless Chromium.
type browser struct{ page context.Context }

// openBrowser starts Chromium, or skips the test where there is none. The CI has one, so there its
// absence is an error.
func openBrowser(t *testing.T) browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		require.NotEqual(t, "true", os.Getenv("CI"), "chromium is not installed")
		t.Skip("chromium is not installed; apt-get install chromium")
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), chromedp.ExecPath(path),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 800),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("hide-scrollbars", true),
		// Its first start on a busy machine takes a while.
		chromedp.WSURLReadTimeout(patience),
	)
	t.Cleanup(stop)
	page, closePage := chromedp.NewContext(allocator)
	t.Cleanup(closePage)
	// The browser lives as long as the context of the first step, which therefore has no timeout.
	require.NoError(t, chromedp.Do(page, chromedp.EmulateViewport(1280, 800)))
	return browser{page}
}

// do takes a few steps on the page.
func (b browser) do(t *testing.T, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.page, patience)
	defer cancel()
	require.NoError(t, chromedp.Do(ctx, steps...), what)
}

// readPage reads a page and the frames in it, in one of which the Temporal UI renders Markdown.
const readPage = `[document, ...Array.from(document.querySelectorAll("iframe"), frame => frame.contentDocument)]
	.map(page => page?.body?.innerText ?? "").join("\n")`

// shows waits until the page shows all these texts, in whatever case its style gives them.
func (b browser) shows(t *testing.T, texts ...string) {
	t.Helper()
	for i, text := range texts {
		texts[i] = strings.ToLower(text)
	}
	waitFor(t, fmt.Sprintf("%q on the page", texts), func() (string, bool) {
		text, err := chromedp.Run(b.page, chromedp.Evaluate[string](readPage))
		require.NoError(t, err)
		// The page breaks lines within a value where it has no room.
		return text, containsAll(strings.ToLower(strings.Join(strings.Fields(text), " ")), texts...)
	})
}

// openDelivery goes from the list of workflows to a delivery.
func (b browser) openDelivery(t *testing.T, c *courier, id string) {
	t.Helper()
	b.do(t, "open the list", chromedp.Navigate(c.ui+"/namespaces/default/workflows"))
	link := chromedp.Search(fmt.Sprintf(`//a[contains(., %q)]`, id))
	b.do(t, "open "+id, chromedp.WaitVisible(link), chromedp.Click(link))
	b.shows(t, id, "Delivery", "gitbook-webhooks")
}

// openTab opens one of the tabs of a workflow's page.
func (b browser) openTab(t *testing.T, name string) {
	t.Helper()
	tab := chromedp.Search(fmt.Sprintf(`//a[contains(., %q)]`, name))
	b.do(t, "open "+name, chromedp.WaitVisible(tab), chromedp.Click(tab))
}

// picture saves what the window shows.
func (b browser) picture(t *testing.T, name string) {
	t.Helper()
	if *screenshots == "" {
		return
	}
	png, err := chromedp.Run(b.page, chromedp.CaptureScreenshot())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(*screenshots, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(*screenshots, name+".png"), png, 0o644))
}

func TestTemporalUIShowsDeliveries(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	search := hooktest.New(t, hooktest.Answer{Status: 503, Body: "reindexing"}, status(200))
	slack := hooktest.New(t, hooktest.Answer{Status: 500, Body: "out of order"})
	gone := hooktest.New(t, hooktest.Answer{Status: 410, Body: "gone"})
	courier := start(t, t.TempDir(), configuration(
		destination("search-index", search.URL, events("space_content_updated")),
		destination("slack-bot", slack.URL, events("page_feedback"), retries(10*time.Minute)),
		destination("analytics", gone.URL, events("site_view")),
	))
	courier.accept(t, event("site_view", "evt_0123456789abcdef"), noEnvironment)
	courier.accept(t, event("page_feedback", "evt_1234567890abcdef"), noEnvironment)
	courier.accept(t, event("space_content_updated", "evt_2345678901bcdefg"), noEnvironment)
	courier.awaitStatus(t, "search-index", "evt_2345678901bcdefg", "delivered")
	courier.awaitStatus(t, "analytics", "evt_0123456789abcdef", "undelivered")
	courier.awaitWait(t, "slack-bot", "evt_1234567890abcdef")

	b.openDelivery(t, courier, "evt_2345678901bcdefg@search-index")
	b.shows(t, "Completed", `"outcome": "Unavailable"`, `"reply": "reindexing"`, `"outcome": "delivered"`)
	b.openTab(t, "User Metadata")
	b.shows(t, "space_content_updated → search-index", "Delivered at attempt 2.", "Unavailable: 503 Service Unavailable")
	b.picture(t, "delivered")

	b.openDelivery(t, courier, "evt_1234567890abcdef@slack-bot")
	b.openTab(t, "User Metadata")
	b.shows(t, "page_feedback → slack-bot", "Retrying. Attempt 2 of 2 follows at")
	b.openTab(t, "Pending Activities")
	b.shows(t, "Running", "SendWebhook", "500 Internal Server Error", `"outcome": "Unavailable"`)
	b.picture(t, "retrying")

	b.openDelivery(t, courier, "evt_0123456789abcdef@analytics")
	b.shows(t, "Failed", "Undelivered", `"outcome": "Rejected"`, "410 Gone")
	b.picture(t, "undelivered")
}

// Neither an event nor a receiver's certificate can put a link or an image into Temporal's UI.
func TestTemporalUIShowsHostileTextAsText(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	loaded := hooktest.New(t)
	receiver := hostileReceiver(t, "[here]("+loaded.URL+"/link)", "![x]("+loaded.URL+"/image)", "<img src="+loaded.URL+"/tag>")
	courier := start(t, t.TempDir(), configuration(destination("hostile", receiver, retries(10*time.Minute))))
	id := "evt_[here](" + loaded.URL + "/link)![x](" + loaded.URL + "/image) " + loaded.URL
	courier.accept(t, fmt.Sprintf(`{"eventId":%q,"type":"site_view","siteId":"**s**","installationId":"inst_def456"}`, id), noEnvironment)
	waiting := courier.awaitWait(t, "hostile", id)
	run := waiting.Runs[0]
	require.Equal(t, "the receiver's certificate is not valid for the host of the URL", run.Attempts[0].Error)

	b.do(t, "open", chromedp.Navigate(deliveries.WorkflowPage(courier.ui, "default", "hostile", id, run.RunID)))
	b.openTab(t, "User Metadata")
	b.shows(t, "Retrying. Attempt 2 of 2 follows at", "the receiver's certificate is not valid for the host of the URL", "[here](")
	b.picture(t, "hostile")
	alive, err := chromedp.Run(b.page, chromedp.Evaluate[int](fmt.Sprintf(`document.querySelectorAll('a[href^=%[1]q], img[src^=%[1]q]').length`, loaded.URL)))
	require.NoError(t, err)
	require.Zero(t, alive)
	require.Empty(t, loaded.Requests(), "the page has loaded something of a stranger's")
}

// hostileReceiver is the URL of a receiver whose certificate has these names.
func hostileReceiver(t *testing.T, names ...string) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: names[0], Organization: names}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: key}}} //nolint:gosec // Go's own bounds are the test's.
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL
}
