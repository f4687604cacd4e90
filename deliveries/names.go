package deliveries

import (
	"net/url"
	"slices"
	"strings"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

// The names of destinations: a delivery keeps the name that its destination had when the event was
// stored, and a destination is held under the name that the configuration has for it today.

// configured is the destination that the configuration has today for a name.
func (s *Store) configured(name string) (config.Destination, bool) {
	return s.config().Resolve(name)
}

// canonical is the name under which the deliveries to a destination are held.
func (s *Store) canonical(name string) string {
	if d, ok := s.configured(name); ok {
		return d.Name
	}
	return name
}

// allCanonical are the canonical names of names, each once.
func (s *Store) allCanonical(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = s.canonical(name)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// to is the query for the running deliveries to the destination that a name means today. Some may
// be stored under its former names.
func (s *Store) to(name string) string {
	return Filter{Running: true}.query() + " AND " + s.isTo(name)
}

// isTo is the term for deliveries to the destination that a name means today.
func (s *Store) isTo(name string) string {
	d, ok := s.configured(name)
	if !ok || len(d.Formerly) == 0 {
		return workflows.Destination.GetName() + " = " + quote(name)
	}
	names := d.Names()
	for i, name := range names {
		names[i] = quote(name)
	}
	return workflows.Destination.GetName() + " IN (" + strings.Join(names, ", ") + ")"
}

// WorkflowPage is the page of a delivery's run in Temporal's UI at a base URL.
func WorkflowPage(ui, namespace, destination, eventID, runID string) string {
	id := url.PathEscape(workflows.DeliveryID(eventID, destination))
	return strings.TrimSuffix(ui, "/") + "/namespaces/" + url.PathEscape(namespace) + "/workflows/" + id + "/" + url.PathEscape(runID) + "/timeline"
}
