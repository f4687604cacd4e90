package codec

import (
	"context"
	"errors"

	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// FailureUnreadable is the type of the failure of an activity whose input or heartbeat details
// cannot be decrypted by its worker. The activity has done nothing. It may be retried: another
// worker may have the key, or this one will.
const FailureUnreadable = "Unreadable"

// Unreadable is whether an error comes from a payload that cannot be decrypted.
func Unreadable(err error) bool {
	return errors.Is(err, ErrKeyMissing) || errors.Is(err, ErrCorrupt)
}

// DataConverter is the SDK's own converter with the codec behind it, for clients, workers and
// whoever reads payloads.
//
// In workflow code it panics over a payload that cannot be decrypted. The SDK then fails the
// workflow task, which Temporal repeats until a worker has the key. An error would fail the
// workflow for good, and a signal would be dropped.
func (c *Codec) DataConverter() converter.DataConverter {
	return dataConverter{converter.NewCodecDataConverter(converter.GetDefaultDataConverter(), c)}
}

// FailureConverter is the SDK's own, for clients and workers. The details of failures pass the
// codec; messages, types and stack traces stay as they are.
//
// An activity that could not read its payloads fails with [FailureUnreadable]. The details of a
// failure that has come back are read in workflow code, and as there it panics over those that
// cannot be decrypted.
func (c *Codec) FailureConverter() converter.FailureConverter {
	return failureConverter{temporal.NewDefaultFailureConverter(temporal.DefaultFailureConverterOptions{
		DataConverter: blocking{c.DataConverter()},
	})}
}

// dataConverter is told by the SDK where it is used.
type dataConverter struct{ converter.DataConverter }

var _ workflow.ContextAware = dataConverter{}

func (d dataConverter) WithWorkflowContext(workflow.Context) converter.DataConverter {
	return blocking(d)
}

func (d dataConverter) WithContext(context.Context) converter.DataConverter { return d }

// blocking panics over what cannot be decrypted.
type blocking struct{ converter.DataConverter }

func (b blocking) FromPayload(payload *commonpb.Payload, value any) error {
	return block(b.DataConverter.FromPayload(payload, value))
}

func (b blocking) FromPayloads(payloads *commonpb.Payloads, values ...any) error {
	return block(b.DataConverter.FromPayloads(payloads, values...))
}

func block(err error) error {
	if Unreadable(err) {
		panic(err)
	}
	return err
}

type failureConverter struct{ converter.FailureConverter }

func (f failureConverter) ErrorToFailure(err error) *failurepb.Failure {
	if Unreadable(err) {
		err = temporal.NewApplicationError(err.Error(), FailureUnreadable)
	}
	return f.FailureConverter.ErrorToFailure(err)
}
