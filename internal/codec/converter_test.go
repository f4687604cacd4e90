package codec

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

func TestDataConverterKeepsARawPayload(t *testing.T) {
	t.Parallel()
	data := New(keyring(t, 1), true).DataConverter()
	const event = "{ \"b\":1, \"a\":\"<&>\\u003c\", \"n\":12345678901234567890 }\n"
	raw := converter.NewRawValue(jsonPayload(event))
	payloads, err := data.ToPayloads(map[string]int{"x": 1}, raw)
	require.NoError(t, err)
	for _, payload := range payloads.GetPayloads() {
		require.Equal(t, Encoding, string(payload.GetMetadata()["encoding"]))
	}
	var (
		input map[string]int
		back  converter.RawValue
	)
	require.NoError(t, data.FromPayloads(payloads, &input, &back))
	require.Equal(t, map[string]int{"x": 1}, input)
	requireSame(t, []*commonpb.Payload{jsonPayload(event)}, []*commonpb.Payload{back.Payload()})
}

// In workflow code an error would fail the workflow for good.
func TestMissingKeyPanicsInWorkflowCodeAlone(t *testing.T) {
	t.Parallel()
	payloads, err := New(keyring(t, 1), true).DataConverter().ToPayloads("text")
	require.NoError(t, err)
	without := New(keyring(t, 2), true).DataConverter()
	var s string
	for _, outside := range []converter.DataConverter{without, workflow.DataConverterWithoutDeadlockDetection(without)} {
		require.ErrorIs(t, outside.FromPayloads(payloads, &s), ErrKeyMissing)
	}
	aware := without.(workflow.ContextAware)
	require.ErrorIs(t, aware.WithContext(t.Context()).FromPayloads(payloads, &s), ErrKeyMissing)

	inside := aware.WithWorkflowContext(nil)
	require.PanicsWithError(t, ErrKeyMissing.Error(), func() { _ = inside.FromPayloads(payloads, &s) })
	require.PanicsWithError(t, ErrKeyMissing.Error(), func() { _ = inside.FromPayload(payloads.GetPayloads()[0], &s) })

	// A payload of another type stays an error.
	plain, err := converter.GetDefaultDataConverter().ToPayloads(1)
	require.NoError(t, err)
	require.ErrorIs(t, inside.FromPayloads(plain, &s), converter.ErrUnableToDecode)
}

func TestFailureDetailsAreEncryptedAndMessagesAreNot(t *testing.T) {
	t.Parallel()
	c := New(keyring(t, 1), true)
	failure := c.FailureConverter().ErrorToFailure(temporal.NewApplicationError("503 Service Unavailable", "Unavailable", "an excerpt"))
	require.Equal(t, "503 Service Unavailable", failure.GetMessage())
	details := failure.GetApplicationFailureInfo().GetDetails().GetPayloads()
	require.Len(t, details, 1)
	require.Equal(t, Encoding, string(details[0].GetMetadata()["encoding"]))

	var (
		back    *temporal.ApplicationError
		excerpt string
	)
	require.ErrorAs(t, c.FailureConverter().FailureToError(failure), &back)
	require.NoError(t, back.Details(&excerpt))
	require.Equal(t, "an excerpt", excerpt)

	require.ErrorAs(t, New(keyring(t), false).FailureConverter().FailureToError(failure), &back)
	require.PanicsWithError(t, ErrKeyMissing.Error(), func() { _ = back.Details(&excerpt) })
}

func TestActivityThatCouldNotReadItsInputIsRetryable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		give     error
		wantType string
	}{
		{name: "key missing", give: fmt.Errorf("decode: %w", ErrKeyMissing), wantType: "Unreadable"},
		{name: "corrupt", give: fmt.Errorf("decode: %w", ErrCorrupt), wantType: "Unreadable"},
		{name: "another error", give: errors.New("other"), wantType: ""},
		{name: "a failure", give: temporal.NewApplicationError("503", "Unavailable"), wantType: "Unavailable"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			failure := New(keyring(t, 1), true).FailureConverter().ErrorToFailure(tt.give)
			require.Equal(t, tt.wantType, failure.GetApplicationFailureInfo().GetType())
			require.False(t, failure.GetApplicationFailureInfo().GetNonRetryable())
			require.Contains(t, tt.give.Error(), failure.GetMessage())
		})
	}
}
