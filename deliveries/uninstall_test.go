package deliveries

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/mocks"
	"google.golang.org/grpc"
)

// batches is a Temporal that runs batch operations.
type batches struct {
	workflowservice.WorkflowServiceClient
	started []*workflowservice.StartBatchOperationRequest
	// errs are the errors of the first calls.
	errs []error
}

func (b *batches) StartBatchOperation(_ context.Context, r *workflowservice.StartBatchOperationRequest, _ ...grpc.CallOption) (*workflowservice.StartBatchOperationResponse, error) {
	if len(b.errs) > 0 {
		err := b.errs[0]
		b.errs = b.errs[1:]
		return nil, err
	}
	b.started = append(b.started, r)
	return &workflowservice.StartBatchOperationResponse{}, nil
}

func TestGiveUpUninstalled(t *testing.T) {
	t.Parallel()
	const own = "WorkflowType = 'Delivery' AND WebhookDestination = 'installation.inst_1'"
	const open = " AND ExecutionStatus IN ('Running', 'Paused')"
	busy := &serviceerror.ResourceExhausted{}
	tests := []struct {
		name    string
		give    Uninstalled
		errs    []error
		want    string
		wantErr error
	}{
		{"organization", Uninstalled{EventID: "evt_1", Installation: "inst_1"}, nil, own + open, nil},
		{"space", Uninstalled{EventID: "evt_1", Installation: "inst_1", Space: "it's"}, nil, own + ` AND GitBookSpace = 'it\'s'` + open, nil},
		{"site", Uninstalled{EventID: "evt_1", Installation: "inst_1", Site: "site_1"}, nil, own + " AND GitBookSite = 'site_1'" + open, nil},
		{"the same event again", Uninstalled{EventID: "evt_1", Installation: "inst_1"}, []error{&serviceerror.WorkflowExecutionAlreadyStarted{}}, "", nil},
		{"after another batch", Uninstalled{EventID: "evt_1", Installation: "inst_1"}, []error{busy, busy}, own + open, nil},
		{"never", Uninstalled{EventID: "evt_1", Installation: "inst_1"}, []error{busy, busy, busy, busy, busy, busy, busy}, "", ErrUnavailable},
		{"out of reach", Uninstalled{EventID: "evt_1", Installation: "inst_1"}, []error{&serviceerror.Unavailable{}}, "", ErrUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b, temporal := &batches{errs: tt.errs}, &mocks.Client{}
				temporal.On("WorkflowService").Return(b)
				s := &Store{client: temporal}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				require.ErrorIs(t, s.GiveUpUninstalled(ctx, tt.give), tt.wantErr)
				if tt.want == "" {
					require.Empty(t, b.started)
					return
				}
				require.Equal(t, tt.want, b.started[0].GetVisibilityQuery())
				require.Equal(t, "InstallationDeleted", b.started[0].GetSignalOperation().GetSignal())
				require.Equal(t, "installation_deleted.7d4e5a76ea", b.started[0].GetJobId()[:31], "the same for the same event")
			})
		})
	}
}
