package deliveries

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"golang.org/x/sync/errgroup"

	"github.com/gitbook-courier/courier/workflows"
)

const (
	// maxFound bounds how many executions one scan of visibility returns.
	maxFound = 500
	// fewFound is how many executions are too few for one scan.
	fewFound = 100
	// maxScans bounds how many windows of time one page looks through, so that a filter that
	// matches little answers in time; the cursor goes on.
	maxScans = 20
	// maxConcurrentReads bounds the runs of a page that are read at once.
	maxConcurrentReads = 16
	// A page looks into stretches of time of these lengths.
	firstWindow, minWindow, maxWindow = time.Second, time.Millisecond, 20 * 365 * 24 * time.Hour
	// windowGrowth is how much longer the next stretch is while few are found.
	windowGrowth = 8
)

// Filter says which deliveries a list holds. Empty fields do not filter.
type Filter struct {
	Destination, Type, Installation, Space, Site string
	// Status is the status of the delivery's latest run.
	Status Status
	// Running keeps deliveries that are over out. It says less than a Status.
	Running bool
	// Job is the bulk redelivery that started the run.
	Job string
	// Since and Until bound when the latest run started: at or after Since, before Until.
	Since, Until time.Time
}

// Page is a part of a list.
type Page struct {
	Deliveries []Delivery `json:"deliveries"`
	// NextCursor gets the part that follows; absent after the last one.
	NextCursor string `json:"nextCursor,omitempty"`
}

// cursor is the last execution that a page has dealt with. Pages go back in time from it, so what
// arrives in the meantime moves nothing.
type cursor struct {
	Start time.Time `json:"t"`
	RunID string    `json:"r"`
}

// aboveAllRuns is a run id that comes before all others in a list.
const aboveAllRuns = "~"

func (c cursor) String() string {
	b, _ := json.Marshal(c) // cannot fail: a time and a string
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s string) (cursor, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || json.Unmarshal(b, &c) != nil || c.Start.IsZero() {
		return c, ErrCursor
	}
	return c, nil
}

// before is whether an execution comes after the cursor in a list, which is ordered by start time,
// the newest first.
func (c cursor) before(e *workflowpb.WorkflowExecutionInfo) bool {
	return compare(c, position(e)) < 0
}

func position(e *workflowpb.WorkflowExecutionInfo) cursor {
	return cursor{Start: e.GetStartTime().AsTime(), RunID: e.GetExecution().GetRunId()}
}

// compare orders positions as a list has them.
func compare(a, b cursor) int {
	return cmp.Or(b.Start.Compare(a.Start), cmp.Compare(b.RunID, a.RunID))
}

// List finds deliveries, the newest first, at most limit of them. It may return fewer together with
// a cursor when the filter matches little.
//
// Temporal's visibility on SQL puts open executions before closed ones, so its own page tokens
// would repeat or skip what closes between two pages. The list goes back through stretches of start
// time instead.
//
// It returns a *FilterError for a filter that cannot match anything, and ErrCursor for a cursor,
// after, that no list has given out.
func (s *Store) List(ctx context.Context, f Filter, limit int, after string) (page Page, err error) {
	defer translate(&err)
	if err := f.validate(); err != nil {
		return Page{}, err
	}
	from := cursor{Start: s.now().Add(time.Minute)} // clocks differ
	if !f.Until.IsZero() {
		from.Start = f.Until
	}
	if after != "" {
		if from, err = parseCursor(after); err != nil {
			return Page{}, err
		}
	}
	page = Page{Deliveries: []Delivery{}}
	for range maxScans {
		executions, rest, err := s.scan(ctx, f.query(), from)
		if err != nil {
			return Page{}, err
		}
		for len(executions) > 0 && len(page.Deliveries) < limit {
			part := executions[:min(len(executions), limit-len(page.Deliveries))]
			executions = executions[len(part):]
			found, err := s.readAll(ctx, part, f.Status)
			if err != nil {
				return Page{}, err
			}
			page.Deliveries = append(page.Deliveries, found...)
			from = position(part[len(part)-1])
		}
		more := len(executions) > 0 || rest != nil
		switch {
		case !more:
			return page, nil
		case len(page.Deliveries) == limit:
			page.NextCursor = from.String()
			return page, nil
		}
		from = *rest
	}
	page.NextCursor = from.String()
	return page, nil
}

// scan finds the executions of a query in the stretch of time that ends with from, and where the next stretch
// begins; rest is nil when there is none.
func (s *Store) scan(ctx context.Context, of string, from cursor) (executions []*workflowpb.WorkflowExecutionInfo, rest *cursor, err error) {
	query := of + " AND StartTime <= " + quoteTime(from.Start)
	window, last, err := s.window(ctx, query, from.Start)
	if err != nil {
		return nil, nil, err
	}
	if !last {
		rest = &cursor{Start: from.Start.Add(-window), RunID: aboveAllRuns}
		query += " AND StartTime > " + quoteTime(rest.Start)
	}
	if executions, err = s.list(ctx, query); err != nil {
		return nil, nil, err
	}
	executions = slices.DeleteFunc(executions, func(e *workflowpb.WorkflowExecutionInfo) bool { return !from.before(e) })
	slices.SortFunc(executions, func(a, b *workflowpb.WorkflowExecutionInfo) int { return compare(position(a), position(b)) })
	// Should it have taken more than one request, what closed in between may have come twice.
	executions = slices.CompactFunc(executions, func(a, b *workflowpb.WorkflowExecutionInfo) bool { return position(a) == position(b) })
	return executions, rest, nil
}

// window is a stretch of time before end that holds enough executions for a scan, but no more than
// one scan should return. It is the last one when nothing is before it. It begins short and grows, so
// that Temporal never counts much more than is listed.
func (s *Store) window(ctx context.Context, query string, end time.Time) (window time.Duration, last bool, err error) {
	window = firstWindow
	for grow := true; ; {
		last = window >= maxWindow
		of := query
		if !last {
			of += " AND StartTime > " + quoteTime(end.Add(-window))
		}
		count, err := s.count(ctx, of)
		switch {
		case err != nil:
			return 0, false, err
		case count > maxFound && window > minWindow:
			grow = false
			window = max(minWindow, time.Duration(float64(min(window, maxWindow))*maxFound/float64(2*count)))
		case count < fewFound && grow && !last:
			window *= windowGrowth
		default:
			return window, last, nil
		}
	}
}

// readAll reads executions of a list, and leaves out those that are not the latest run of their
// delivery or whose status is another.
func (s *Store) readAll(ctx context.Context, executions []*workflowpb.WorkflowExecutionInfo, status Status) ([]Delivery, error) {
	all := make([]*Delivery, len(executions))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(maxConcurrentReads)
	for i, execution := range executions {
		group.Go(func() error {
			described, err := s.describe(ctx, execution.GetExecution().GetWorkflowId(), "")
			if errors.Is(err, ErrUnknown) || err == nil && described.GetWorkflowExecutionInfo().GetExecution().GetRunId() != execution.GetExecution().GetRunId() {
				return nil
			}
			if err != nil {
				return err
			}
			delivery := s.summarize(described.GetWorkflowExecutionInfo())
			if err := s.add(ctx, &delivery, described); err != nil {
				return err
			}
			if status == "" || status == delivery.Status {
				all[i] = &delivery
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	found := make([]Delivery, 0, len(all))
	for _, delivery := range all {
		if delivery != nil {
			found = append(found, *delivery)
		}
	}
	return found, nil
}

// validate returns a *FilterError for a filter that is given but cannot match.
func (f Filter) validate() error {
	for _, filter := range []struct{ name, value string }{
		{"destination", f.Destination}, {"type", f.Type}, {"installation", f.Installation}, {"space", f.Space}, {"site", f.Site},
	} {
		if filter.value != "" && !printable(filter.value) {
			return &FilterError{filter.name}
		}
	}
	return nil
}

// Terms of queries, in the language of Temporal's visibility. Executions that are paused in
// Temporal are not over.
var (
	deliveryType = "WorkflowType = " + quote(workflows.DeliveryType)
	isOpen       = "ExecutionStatus IN ('Running', 'Paused')"
	saysHeld     = says(workflows.StateHeld)
	saysUnknown  = says(workflows.StateUnknown)
	saysNothing  = workflows.State.GetName() + " IS NULL"
)

// says is the term for deliveries whose search attribute State has a value.
func says(state string) string { return workflows.State.GetName() + " = " + quote(state) }

// query is the filter as a query.
func (f Filter) query() string {
	terms := []string{deliveryType}
	equal := func(name, value string) {
		if value != "" {
			terms = append(terms, name+" = "+quote(value))
		}
	}
	equal(workflows.Destination.GetName(), f.Destination)
	equal(workflows.EventType.GetName(), f.Type)
	equal(workflows.Installation.GetName(), f.Installation)
	equal(workflows.Space.GetName(), f.Space)
	equal(workflows.Site.GetName(), f.Site)
	equal(workflows.Job.GetName(), f.Job)
	if !f.Since.IsZero() {
		terms = append(terms, "StartTime >= "+quoteTime(f.Since))
	}
	if !f.Until.IsZero() {
		terms = append(terms, "StartTime < "+quoteTime(f.Until))
	}
	if f.Running {
		terms = append(terms, isOpen)
	}
	switch f.Status {
	case Pending:
		terms = append(terms, isOpen, "("+saysNothing+" OR "+saysUnknown+")")
	case Retrying:
		terms = append(terms, isOpen, says(workflows.StateRetrying))
	case Held:
		terms = append(terms, isOpen, "("+saysHeld+" OR ExecutionStatus = 'Paused' OR TemporalPauseInfo IS NOT NULL)")
	case Delivered:
		terms = append(terms, "ExecutionStatus = 'Completed'")
	case Undelivered:
		terms = append(terms, "ExecutionStatus IN ('Failed', 'TimedOut')")
	case Cancelled:
		terms = append(terms, "ExecutionStatus IN ('Canceled', 'Terminated')")
	}
	return strings.Join(terms, " AND ")
}

func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteTime(t time.Time) string {
	return quote(t.UTC().Format(time.RFC3339Nano))
}

func (s *Store) count(ctx context.Context, query string) (int64, error) {
	response, err := s.client.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{Query: query})
	return response.GetCount(), err
}

// list is every execution that a query finds, as one request has them as long as they are no more
// than maxFound.
func (s *Store) list(ctx context.Context, query string) (all []*workflowpb.WorkflowExecutionInfo, err error) {
	err = s.each(ctx, query, func(e *workflowpb.WorkflowExecutionInfo) error {
		all = append(all, e)
		return nil
	})
	return all, err
}

// each calls f with every execution that a query finds.
func (s *Store) each(ctx context.Context, query string, f func(*workflowpb.WorkflowExecutionInfo) error) error {
	request := &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: maxFound}
	for {
		response, err := s.client.ListWorkflow(ctx, request)
		if err != nil {
			return fmt.Errorf("list: %w", err)
		}
		for _, execution := range response.GetExecutions() {
			if err := f(execution); err != nil {
				return err
			}
		}
		if request.NextPageToken = response.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return nil
		}
	}
}
