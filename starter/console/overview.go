package console

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

// maxConcurrentCharts bounds the charts that are counted at once.
const maxConcurrentCharts = 4

// card is a destination on the overview.
type card struct {
	deliveries.Destination
	// Word is its state in a word, and Class the word's colour.
	Word, Class string
	// Day are the sums of the last 24 hours, and Chart is their picture.
	Day   deliveries.Hour
	Chart template.HTML
	// Held is whether it can be resumed, Configured whether it can be paused and tested.
	Held, Configured bool
}

// overview is the page.
type overview struct {
	Pulse deliveries.Pulse
	Cards []card
}

// overview serves GET /console.
func (c *Console) overview(w http.ResponseWriter, r *http.Request) error {
	all, err := c.Destinations.All(r.Context())
	if err != nil {
		return err
	}
	page := overview{Cards: make([]card, len(all))}
	group, ctx := errgroup.WithContext(r.Context())
	group.SetLimit(maxConcurrentCharts)
	group.Go(func() (err error) {
		page.Pulse, err = c.Figures.Pulse(ctx)
		return err
	})
	for i, d := range all {
		group.Go(func() (err error) {
			page.Cards[i], err = c.card(ctx, d)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return c.render(w, http.StatusOK, "overview", view{Title: "Overview", Section: "overview", Live: true, Page: page})
}

func (c *Console) card(ctx context.Context, d deliveries.Destination) (card, error) {
	hours, err := c.Figures.Hours(ctx, d.Name)
	if err != nil {
		return card{}, err
	}
	of := card{
		Destination: d, Chart: chart(hours),
		Held:       d.State == deliveries.StatePaused || d.State == deliveries.StateFailing,
		Configured: d.State != deliveries.StateUnknown && d.Schedule != nil,
	}
	for _, hour := range hours {
		of.Day.Delivered += hour.Delivered
		of.Day.Undelivered += hour.Undelivered
	}
	switch {
	case d.State == deliveries.StatePaused:
		of.Word, of.Class = "paused", "held"
	case d.State == deliveries.StateFailing:
		of.Word, of.Class = "held: it has been failing", "held"
	case d.State == deliveries.StateReleasing:
		of.Word, of.Class = "releasing", "held"
	case d.State == deliveries.StateUnknown:
		of.Word, of.Class = "not in the configuration", "undelivered"
	case d.Undelivered > 0, d.Waiting > 0 && d.Delivered == 0:
		of.Word, of.Class = "failing", "undelivered"
	default:
		of.Word, of.Class = "delivering", "delivered"
	}
	return of, nil
}

const (
	barWidth, barGap = 8, 2
	chartHeight      = 40
)

// chart is the bars of some hours: delivered below, undelivered on top. It is made of numbers alone.
func chart(hours []deliveries.Hour) template.HTML {
	most := int64(1)
	for _, hour := range hours {
		most = max(most, hour.Delivered+hour.Undelivered)
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg viewBox="0 0 %d %d" preserveAspectRatio="none" aria-hidden="true" focusable="false">`, len(hours)*(barWidth+barGap), chartHeight)
	for i, hour := range hours {
		bar := func(class string, from, n int64) {
			if n > 0 {
				height := float64(n) / float64(most) * chartHeight
				y := chartHeight - float64(from)/float64(most)*chartHeight - height
				fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%.1f" width="%d" height="%.1f"/>`, class, i*(barWidth+barGap), y, barWidth, height)
			}
		}
		bar("delivered", 0, hour.Delivered)
		bar("undelivered", hour.Delivered, hour.Undelivered)
	}
	b.WriteString("</svg>")
	return template.HTML(b.String()) //nolint:gosec // Numbers and class names of ours.
}

// actOnDestination serves POST /console/destinations/{name}/{act}.
func (c *Console) actOnDestination(w http.ResponseWriter, r *http.Request) error {
	name := variable(r, "name")
	var err error
	switch variable(r, "act") {
	case "pause":
		_, err = c.Destinations.Pause(r.Context(), name)
	case "resume":
		_, err = c.Destinations.Resume(r.Context(), name)
	case "test":
		_, err = c.Deliveries.SendSamples(r.Context(), name)
	default:
		err = respond.NewError(http.StatusNotFound, "no such act; it is pause, resume or test")
	}
	if err != nil {
		return err
	}
	seeOther(w, r, Path)
	return nil
}
