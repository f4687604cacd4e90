package activities

import (
	"context"
	"errors"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
)

// Journal keeps the attempt log of a running SendWebhook in Temporal. It is not the SDK's
// heartbeat, which ends the activity when Temporal answers late.
type Journal interface {
	// Sending records the log before the request that its last entry is about. It waits for a slow
	// Temporal until ctx is done. An error other than the ones below means that it is unknown
	// whether the log was recorded.
	//
	// It returns an error for which temporal.IsCanceledError is true when the delivery is to be
	// cancelled, activity.ErrActivityPaused when an operator has paused the activity (the log was
	// recorded in both cases), and ErrGone when Temporal no longer waits for this execution.
	Sending(ctx context.Context, taskToken []byte, log []Attempt) error
	// Failed ends the execution with a failure and records the log, both or neither. It returns the
	// error for the activity to return.
	Failed(ctx context.Context, taskToken []byte, log []Attempt, failure error) error
}

// ErrGone is returned when Temporal no longer waits for an execution of SendWebhook: it was taken
// for lost and is done again, or its delivery is over.
var ErrGone = errors.New("the execution of the activity is no longer waited for")

const (
	// firstPause and lastPause bound the wait before a call to Temporal that failed is made again.
	firstPause, lastPause = 50 * time.Millisecond, 2 * time.Second
	// callTimeout bounds one call to Temporal.
	callTimeout = 10 * time.Second
)

// TemporalJournal is the Journal of Temporal's activities.
type TemporalJournal struct {
	client    client.Client
	namespace string
	payloads  converter.DataConverter
	failures  converter.FailureConverter
}

// NewTemporalJournal makes a journal for the activities of the client's namespace, with the
// client's own converters. It does no I/O.
func NewTemporalJournal(c client.Client, namespace string, payloads converter.DataConverter, failures converter.FailureConverter) *TemporalJournal {
	return &TemporalJournal{client: c, namespace: namespace, payloads: payloads, failures: failures}
}

// Sending implements Journal.
func (j *TemporalJournal) Sending(ctx context.Context, taskToken []byte, log []Attempt) error {
	return persist(ctx, func(ctx context.Context) error {
		err := j.client.RecordActivityHeartbeat(ctx, taskToken, log)
		if errors.Is(err, activity.ErrActivityReset) {
			return nil // it is to begin at once, which it has
		}
		return err
	})
}

// Failed implements Journal. The activity is told that its result comes in another way. When it
// could not be recorded, the SDK tries to report the failure without the log.
func (j *TemporalJournal) Failed(ctx context.Context, taskToken []byte, log []Attempt, failure error) error {
	details, err := j.payloads.ToPayloads(log)
	if err != nil {
		return err
	}
	request := &workflowservice.RespondActivityTaskFailedRequest{
		Namespace: j.namespace, TaskToken: taskToken, Failure: j.failures.ErrorToFailure(failure), LastHeartbeatDetails: details,
	}
	err = persist(ctx, func(ctx context.Context) error {
		_, err := j.client.WorkflowService().RespondActivityTaskFailed(ctx, request)
		return err
	})
	if err == nil || errors.Is(err, ErrGone) {
		return activity.ErrResultPending
	}
	return failure
}

// persist makes a call to Temporal until Temporal has answered or ctx is done.
func persist(ctx context.Context, call func(context.Context) error) error {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		err := bounded(ctx, call)
		switch {
		case err == nil, temporal.IsCanceledError(err), errors.Is(err, activity.ErrActivityPaused):
			return err
		case isGone(err):
			return ErrGone
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

func bounded(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return call(ctx)
}

// isGone is whether making the call again is pointless.
func isGone(err error) bool {
	switch err.(type) { //nolint:errorlint // these come as they are
	case *serviceerror.NotFound, *serviceerror.NamespaceNotFound, *serviceerror.InvalidArgument:
		return true
	}
	return false
}
