package deliveries

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/mock"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"

	"github.com/gitbook-courier/courier/workflows"
)

// visibility answers the room's queries from a list of executions. It knows the terms that the room
// uses, and panics over others.
type visibility struct {
	t *testing.T

	mu      sync.Mutex
	all     []*workflowpb.WorkflowExecutionInfo
	queries []string
	err     error
	// described are the workflows by id and run id.
	described map[[2]string]*description
}

// newVisibility makes a client whose visibility has executions, and which describes them by their
// ids.
func newVisibility(t *testing.T, all ...*description) (*mocks.Client, *visibility) {
	t.Helper()
	temporal, v := mocks.NewClient(t), &visibility{t: t, described: make(map[[2]string]*description)}
	for _, d := range all {
		v.all = append(v.all, d.GetWorkflowExecutionInfo())
		v.add(d)
	}
	temporal.On("DescribeWorkflowExecution", mock.Anything, mock.Anything, mock.Anything).Return(
		func(_ context.Context, id, runID string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			if d, ok := v.described[[2]string{id, runID}]; ok {
				return d, nil
			}
			return nil, serviceerror.NewNotFound("none")
		}).Maybe()
	temporal.On("ListWorkflow", mock.Anything, mock.Anything).Return(
		func(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest) *workflowservice.ListWorkflowExecutionsResponse {
			found := v.find(r.GetQuery())
			from := 0
			if token := r.GetNextPageToken(); len(token) > 0 {
				from = int(token[0])
			}
			to := min(len(found), from+int(r.GetPageSize()))
			response := &workflowservice.ListWorkflowExecutionsResponse{Executions: found[from:to]}
			if to < len(found) && to < 256 {
				response.NextPageToken = []byte{byte(to)}
			}
			return response
		},
		func(context.Context, *workflowservice.ListWorkflowExecutionsRequest) error { return v.err },
	).Maybe()
	temporal.On("CountWorkflow", mock.Anything, mock.Anything).Return(
		func(_ context.Context, r *workflowservice.CountWorkflowExecutionsRequest) *workflowservice.CountWorkflowExecutionsResponse {
			query, grouped := strings.CutSuffix(r.GetQuery(), " GROUP BY ExecutionStatus")
			found := v.find(query)
			response := &workflowservice.CountWorkflowExecutionsResponse{Count: int64(len(found))}
			for _, status := range []string{"Running", "Paused", "Completed", "Failed", "TimedOut", "Canceled"} {
				count := int64(0)
				for _, info := range found {
					if info.GetStatus().String() == status {
						count++
					}
				}
				if grouped && count > 0 {
					response.Groups = append(response.Groups, &workflowservice.CountWorkflowExecutionsResponse_AggregationGroup{
						GroupValues: []*commonpb.Payload{payload(t, status)}, Count: count,
					})
				}
			}
			return response
		},
		func(context.Context, *workflowservice.CountWorkflowExecutionsRequest) error { return v.err },
	).Maybe()
	return temporal, v
}

// asked counts the queries.
func (v *visibility) asked() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.queries)
}

// add makes a workflow known by its ids. The first of an id is its latest run.
func (v *visibility) add(d *description) {
	execution := d.GetWorkflowExecutionInfo().GetExecution()
	latest := [2]string{execution.GetWorkflowId(), ""}
	if _, ok := v.described[latest]; !ok {
		v.described[latest] = d
	}
	v.described[[2]string{execution.GetWorkflowId(), execution.GetRunId()}] = d
}

var term = regexp.MustCompile(`^(\w+) (=|!=|>=|<=|>|<) '(.*)'$`)

func (v *visibility) find(query string) []*workflowpb.WorkflowExecutionInfo {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.queries = append(v.queries, query)
	var found []*workflowpb.WorkflowExecutionInfo
	for _, info := range v.all {
		if v.matches(info, query) {
			found = append(found, info)
		}
	}
	// As on SQL: the open ones before the closed ones, the newest first.
	slices.SortStableFunc(found, func(a, b *workflowpb.WorkflowExecutionInfo) int { return compare(position(a), position(b)) })
	return found
}

func (v *visibility) matches(info *workflowpb.WorkflowExecutionInfo, query string) bool {
	for _, part := range split(query, " AND ") {
		if inner, ok := strings.CutPrefix(part, "("); ok {
			if !slices.ContainsFunc(split(strings.TrimSuffix(inner, ")"), " OR "), func(part string) bool { return v.matches(info, part) }) {
				return false
			}
			continue
		}
		if !v.holds(info, part) {
			return false
		}
	}
	return true
}

// split splits a query at a word that is in no parentheses.
func split(query, word string) (parts []string) {
	depth, from := 0, 0
	for i := range len(query) {
		switch query[i] {
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 && i >= from && strings.HasPrefix(query[i:], word) {
			parts = append(parts, query[from:i])
			from = i + len(word)
		}
	}
	return append(parts, query[from:])
}

func (v *visibility) holds(info *workflowpb.WorkflowExecutionInfo, part string) bool {
	field := func(name string) string {
		switch name {
		case "WorkflowType":
			return info.GetType().GetName()
		case "WorkflowId":
			return info.GetExecution().GetWorkflowId()
		case "ExecutionStatus":
			return info.GetStatus().String()
		case "StartTime":
			return quoteTime(info.GetStartTime().AsTime())
		case "CloseTime":
			return quoteTime(info.GetCloseTime().AsTime())
		}
		for _, key := range workflows.SearchAttributes() {
			if key.GetName() == name {
				return attribute(info.GetSearchAttributes(), key)
			}
		}
		v.t.Errorf("unknown field %q", name)
		return ""
	}
	if name, ok := strings.CutSuffix(part, " IS NULL"); ok {
		return field(name) == ""
	}
	if part == "TemporalPauseInfo IS NOT NULL" {
		return info.GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED
	}
	if name, prefix, ok := strings.Cut(part, " STARTS_WITH "); ok {
		return strings.HasPrefix(field(name), strings.Trim(prefix, "'"))
	}
	if name, list, ok := strings.Cut(part, " IN ("); ok {
		return strings.Contains(list, "'"+field(name)+"'")
	}
	m := term.FindStringSubmatch(part)
	if m == nil {
		v.t.Errorf("unknown term %q", part)
		return false
	}
	value, wanted := field(m[1]), m[3]
	if strings.HasSuffix(m[1], "Time") {
		wanted = "'" + wanted + "'"
	}
	switch order := strings.Compare(value, wanted); m[2] {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	default:
		return order < 0
	}
}

// to is a delivery with another id and destination.
func to(t *testing.T, eventID, destination string, minutes int, status enumspb.WorkflowExecutionStatus, state string) *description {
	t.Helper()
	d := run(t, "run-of-"+eventID, "", minutes, status)
	info := d.GetWorkflowExecutionInfo()
	info.Execution.WorkflowId = workflows.DeliveryID(eventID, destination)
	info.SearchAttributes.IndexedFields[workflows.Destination.GetName()] = payload(t, destination)
	if state != "" {
		info.SearchAttributes.IndexedFields[workflows.State.GetName()] = payload(t, state)
	}
	return d
}

// holdOf is the hold of a destination.
func holdOf(t *testing.T, destination string, status enumspb.WorkflowExecutionStatus, state, reason string) *description {
	t.Helper()
	d := run(t, "hold", "", 0, status)
	info := d.GetWorkflowExecutionInfo()
	info.Execution.WorkflowId, info.Type.Name = workflows.HoldID(destination), workflows.HoldType
	info.SearchAttributes = nil
	info.Memo.Fields = map[string]*commonpb.Payload{workflows.HoldStateMemo: payload(t, state), workflows.HoldReasonMemo: payload(t, reason)}
	return d
}
