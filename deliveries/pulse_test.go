package deliveries

import (
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gitbook-courier/courier/workflows"
)

func TestPulse(t *testing.T) {
	t.Parallel()
	temporal, v := newVisibility(t,
		to(t, "evt_1", "search", -1, completed, ""), to(t, "evt_2", "alerts", -4, running, ""),
		to(t, "evt_3", "search", -6, completed, ""), // too long ago
	)
	now := noon
	poller := func(identity string, ago time.Duration) *taskqueuepb.PollerInfo {
		return &taskqueuepb.PollerInfo{Identity: identity, LastAccessTime: timestamppb.New(noon.Add(-ago))}
	}
	temporal.On("DescribeTaskQueue", mock.Anything, workflows.TaskQueue, enumspb.TASK_QUEUE_TYPE_WORKFLOW).Return(&workflowservice.DescribeTaskQueueResponse{
		Pollers: []*taskqueuepb.PollerInfo{poller("1@a", time.Second), poller("1@a", time.Minute), poller("1@b", 89*time.Second), poller("1@gone", 90*time.Second)},
	}, nil)
	f := NewFigures(newStore(t, temporal, parseConfig(t, twoDestinations), func() time.Time { return now }))
	pulse, err := f.Pulse(t.Context())
	require.NoError(t, err)
	require.InDelta(t, 0.4, pulse.PerMinute, 0)
	require.Equal(t, 2, pulse.Workers)

	now = noon.Add(4 * time.Second)
	_, err = f.Pulse(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, v.asked(), "nothing is asked twice within seconds")

	now = noon.Add(time.Minute)
	v.err = serviceerror.NewUnavailable("down")
	_, err = f.Pulse(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
}
