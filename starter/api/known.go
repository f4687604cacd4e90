package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
	"github.com/gitbook-courier/courier/workflows"
)

// checkKnown refuses the name of a destination that there never was: it would find nothing, and a
// typing error would look like a success. An empty name is no filter.
func (a *API) checkKnown(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if _, ok := a.config.Destination(name); ok {
		return nil
	}
	if id, ok := strings.CutPrefix(name, workflows.InstallationDestination("")); ok {
		if _, ok := a.config.Installation(id); ok {
			return nil
		}
	}
	// One that was removed from the configuration may still have deliveries.
	page, err := a.store.List(ctx, deliveries.Filter{Destination: name}, 1, "", a.now())
	if err != nil {
		return err
	}
	if len(page.Deliveries) == 0 && page.NextCursor == "" {
		return respond.NewError(http.StatusNotFound, "no such destination: the configuration has none of this name, and no delivery went to it")
	}
	return nil
}
