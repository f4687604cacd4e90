package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
)

// result is what one run of a scenario measured.
type result struct {
	metrics []metric
}

// metric is one line of the report.
type metric struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Value is the median of Runs.
	Value float64 `json:"value"`
	// Runs are the values of all runs, and of the rounds of each, in their order.
	Runs []float64 `json:"runs"`
	// Target is absent where there is none.
	Target *target `json:"target,omitempty"`
	Met    *bool   `json:"met,omitempty"`
}

// add reports a value that has no target.
func (r *result) add(name, unit string, value float64) { r.judge(name, unit, value, nil) }

// judge reports a value that is held against a target.
func (r *result) judge(name, unit string, value float64, t *target) {
	r.metrics = append(r.metrics, metric{Name: name, Unit: unit, Runs: []float64{value}, Target: t})
}

// merge adds what another round of the same scenario measured. The median of all rounds is
// reported.
func (r *result) merge(round *result) { r.metrics = append(r.metrics, round.metrics...) }

// report is all that is printed and written.
type report struct {
	Machine   machine    `json:"machine"`
	Quick     bool       `json:"quick"`
	Scenarios []*section `json:"scenarios"`
}

// section is the report of one scenario.
type section struct {
	Name    string   `json:"name"`
	About   string   `json:"about"`
	Metrics []metric `json:"metrics"`
}

func newReport(ctx context.Context, s settings) (*report, error) {
	m, err := thisMachine(ctx, s.folder)
	return &report{Machine: m, Quick: s.quick}, err
}

// add takes a run of a scenario into the report. Values of the same name are those of its rounds.
func (r *report) add(sc scenario, run *result) {
	s := r.section(sc)
	for _, measured := range run.metrics {
		m := s.metric(measured)
		m.Runs = append(m.Runs, measured.Runs...)
		m.Value = median(m.Runs)
		if m.Target != nil {
			met := m.Target.met(m.Value)
			m.Met = &met
		}
	}
}

func (r *report) section(sc scenario) *section {
	for _, s := range r.Scenarios {
		if s.Name == sc.name {
			return s
		}
	}
	s := &section{Name: sc.name, About: sc.about}
	r.Scenarios = append(r.Scenarios, s)
	return s
}

func (s *section) metric(like metric) *metric {
	for i := range s.Metrics {
		if s.Metrics[i].Name == like.Name {
			return &s.Metrics[i]
		}
	}
	like.Runs = nil
	s.Metrics = append(s.Metrics, like)
	return &s.Metrics[len(s.Metrics)-1]
}

// print writes the report as a table.
func (r *report) print(w io.Writer) {
	if r.Quick {
		fmt.Fprintln(w, "\nThis was a quick run: it shows that everything works, and its figures compare with nothing.")
	}
	for _, s := range r.Scenarios {
		fmt.Fprintf(w, "\n%s: %s\n", s.Name, s.About)
		table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, m := range s.Metrics {
			fmt.Fprintf(table, "  %s\t%s\t%s\t%s\n", m.Name, number(m.Value), m.Unit, m.verdict())
		}
		_ = table.Flush() // As with every line above, an error could not be shown.
	}
}

func (m metric) verdict() string {
	switch {
	case m.Target == nil:
		return ""
	case *m.Met:
		return fmt.Sprintf("target %s  met", m.Target)
	default:
		return fmt.Sprintf("target %s  MISSED", m.Target)
	}
}

// number prints a value with about three digits that count.
func number(value float64) string {
	switch size := max(value, -value); {
	case size >= 100, size == 0:
		return fmt.Sprintf("%.0f", value)
	case size >= 10:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}
