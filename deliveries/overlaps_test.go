package deliveries

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/gitbook-courier/courier/config"
	"github.com/gitbook-courier/courier/workflows"
)

const overlapOfInst1 = "overlap.installation.inst_1"

// overlapTemporal is a Temporal that keeps one overlap.
type overlapTemporal struct {
	client.Client

	t       *testing.T
	memo    *commonpb.Memo
	status  enumspb.WorkflowExecutionStatus
	started []client.StartWorkflowOptions
	asked   int
	err     error
}

func (o *overlapTemporal) DescribeWorkflowExecution(_ context.Context, id, _ string) (*workflowservice.DescribeWorkflowExecutionResponse, error) {
	o.asked++
	require.Equal(o.t, overlapOfInst1, id)
	switch {
	case o.err != nil:
		return nil, o.err
	case o.memo == nil:
		return nil, serviceerror.NewNotFound("none")
	}
	d := described(o.status)
	d.WorkflowExecutionInfo.Memo = o.memo
	return d, nil
}

func (o *overlapTemporal) ExecuteWorkflow(_ context.Context, options client.StartWorkflowOptions, _ any, _ ...any) (client.WorkflowRun, error) {
	payload, err := converter.GetDefaultDataConverter().ToPayload(options.Memo[workflows.OverlapSecretsMemo])
	require.NoError(o.t, err)
	require.NotContains(o.t, string(payload.GetData()), "secret-", "it is sealed")
	o.keep(payload)
	o.started = append(o.started, options)
	return nil, nil
}

func (o *overlapTemporal) keep(payload *commonpb.Payload) {
	o.status = enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING
	o.memo = &commonpb.Memo{Fields: map[string]*commonpb.Payload{workflows.OverlapSecretsMemo: payload}}
}

func newOverlaps(t *testing.T, lasts time.Duration, clock *time.Time) (*Overlaps, *overlapTemporal) {
	t.Helper()
	temporal := &overlapTemporal{t: t}
	c := config.Config{SecretOverlap: lasts, Installations: []config.Installation{{ID: "inst_1"}}}
	return NewOverlaps(newStore(t, temporal, c, func() time.Time { return *clock })), temporal
}

func TestReplacedSecretsSignOn(t *testing.T) {
	t.Parallel()
	clock := noon
	overlaps, temporal := newOverlaps(t, 24*time.Hour, &clock)
	check := func(secret string, want ...string) {
		t.Helper()
		for name, o := range map[string]*Overlaps{"this process": overlaps, "another process": NewOverlaps(overlaps.store)} {
			got, err := o.Secrets(t.Context(), "inst_1", secret)
			require.NoError(t, err)
			require.Equal(t, want, got, name)
		}
	}
	check("secret-1", "secret-1")

	require.NoError(t, overlaps.Keep(t.Context(), "inst_1", "secret-1", "secret-2"))
	check("secret-2", "secret-2", "secret-1")
	check("secret-1", "secret-2", "secret-1") // of events that came before
	check("secret-9", "secret-9")             // replaced by other means

	clock = noon.Add(6 * time.Hour)
	require.NoError(t, overlaps.Keep(t.Context(), "inst_1", "secret-2", "secret-3"))
	check("secret-3", "secret-3", "secret-2", "secret-1")
	require.NoError(t, overlaps.Keep(t.Context(), "inst_1", "secret-2", "secret-3")) // saved again
	check("secret-3", "secret-3", "secret-2", "secret-1")

	clock = noon.Add(24*time.Hour - 1)
	check("secret-3", "secret-3", "secret-2", "secret-1")
	clock = noon.Add(24 * time.Hour)
	check("secret-3", "secret-3", "secret-2")
	check("secret-1", "secret-1")
	clock = noon.Add(30 * time.Hour)
	check("secret-3", "secret-3")
	check("secret-2", "secret-2")

	require.NoError(t, overlaps.Keep(t.Context(), "inst_1", "secret-3", "secret-2")) // and back
	check("secret-2", "secret-2", "secret-3")
	temporal.status = enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED
	clock = clock.Add(workflows.HoldCacheTTL)
	check("secret-2", "secret-2")

	for _, options := range temporal.started {
		require.Equal(t, overlapOfInst1, options.ID)
		require.Equal(t, 24*time.Hour, options.StartDelay)
		require.Equal(t, enumspb.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING, options.WorkflowIDConflictPolicy)
	}
}

func TestReplacedSecretsAreBounded(t *testing.T) {
	t.Parallel()
	clock := noon
	overlaps, _ := newOverlaps(t, time.Hour, &clock)
	names := []string{"secret-0", "secret-1", "secret-2", "secret-3", "secret-4", "secret-5", "secret-6"}
	for i := range names[1:] {
		require.NoError(t, overlaps.Keep(t.Context(), "inst_1", names[i], names[i+1]))
	}
	got, err := overlaps.Secrets(t.Context(), "inst_1", "secret-6")
	require.NoError(t, err)
	require.Equal(t, []string{"secret-6", "secret-5", "secret-4", "secret-3", "secret-2"}, got)
}

func TestOverlapsThatAreNotKept(t *testing.T) {
	t.Parallel()
	clock := noon
	overlaps, temporal := newOverlaps(t, time.Hour, &clock)
	require.NoError(t, overlaps.Keep(t.Context(), "inst_2", "secret-1", "secret-2"), "not listed")
	require.Empty(t, temporal.started)

	none, temporal := newOverlaps(t, 0, &clock)
	require.NoError(t, none.Keep(t.Context(), "inst_1", "secret-1", "secret-2"))
	got, err := none.Secrets(t.Context(), "inst_1", "secret-2")
	require.NoError(t, err)
	require.Equal(t, []string{"secret-2"}, got)
	require.Zero(t, temporal.asked, "without an overlap Temporal is not asked")
	require.Empty(t, temporal.started)
}

func TestOverlapsWhileTemporalDoesNotAnswer(t *testing.T) {
	t.Parallel()
	clock := noon
	overlaps, temporal := newOverlaps(t, time.Hour, &clock)
	temporal.err = serviceerror.NewUnavailable("out of reach")
	_, err := overlaps.Secrets(t.Context(), "inst_1", "secret-2")
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, overlaps.Keep(t.Context(), "inst_1", "secret-1", "secret-2"), ErrUnavailable)
	require.Empty(t, temporal.started)

	temporal.err = nil
	require.NoError(t, overlaps.Keep(t.Context(), "inst_1", "secret-1", "secret-2"))
	before := temporal.asked
	temporal.err = errors.New("out of reach")
	for range 2 { // within the time, and after it: the last answer stands
		got, err := overlaps.Secrets(t.Context(), "inst_1", "secret-2")
		require.NoError(t, err)
		require.Equal(t, []string{"secret-2", "secret-1"}, got)
		clock = clock.Add(workflows.HoldCacheTTL)
	}
	require.Equal(t, before+1, temporal.asked)
}

// A memo that cannot be read counts as none: the secret that came with the event signs.
func TestOverlapThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for _, content := range []any{"text", []byte("not sealed"), 7} {
		clock := noon
		overlaps, temporal := newOverlaps(t, time.Hour, &clock)
		payload, err := converter.GetDefaultDataConverter().ToPayload(content)
		require.NoError(t, err)
		temporal.keep(payload)
		got, err := overlaps.Secrets(t.Context(), "inst_1", "secret-2")
		require.NoError(t, err)
		require.Equal(t, []string{"secret-2"}, got)
	}
}
