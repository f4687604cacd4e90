package deliveries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	batchpb "go.temporal.io/api/batch/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/gitbook-courier/courier/workflows"
)

const (
	// uninstallPrefix begins the id of a batch operation that gives up an installation's deliveries.
	uninstallPrefix = "installation_deleted."
	// batchBusy is the pause before another try while Temporal is busy with another batch operation.
	// By default a namespace has one at a time.
	batchBusy = 200 * time.Millisecond
)

// Uninstalled is an installation that GitBook has deleted.
type Uninstalled struct {
	// EventID is the id of the event that says so. The same event again does nothing new.
	EventID string
	// Installation is the installation's id.
	Installation string
	// Space or Site is where alone it was deleted; both are empty for all of the organization.
	Space, Site string
}

// GiveUpUninstalled gives up what waits for the installation's own webhook. A batch operation of
// Temporal does it, so that it goes on without this process and an operator can see it. It returns
// when Temporal has stored the operation.
//
// It returns ErrUnavailable when Temporal cannot be reached, or stays busy with another batch
// operation until ctx is done.
func (s *Store) GiveUpUninstalled(ctx context.Context, u Uninstalled) (err error) {
	defer translate(&err)
	waiting := Filter{Destination: workflows.InstallationDestination(u.Installation), Space: u.Space, Site: u.Site, Running: true}
	id := sha256.Sum256([]byte(u.EventID))
	request := &workflowservice.StartBatchOperationRequest{
		Namespace: s.namespace, JobId: uninstallPrefix + hex.EncodeToString(id[:]),
		VisibilityQuery: waiting.query(),
		Reason:          "GitBook uninstalled the integration",
		Operation: &workflowservice.StartBatchOperationRequest_SignalOperation{
			SignalOperation: &batchpb.BatchOperationSignal{Signal: workflows.InstallationDeletedSignal},
		},
	}
	for {
		_, err := s.client.WorkflowService().StartBatchOperation(ctx, request)
		switch {
		case is[*serviceerror.WorkflowExecutionAlreadyStarted](err), is[*serviceerror.AlreadyExists](err):
			return nil
		case !is[*serviceerror.ResourceExhausted](err):
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(batchBusy):
		}
	}
}
