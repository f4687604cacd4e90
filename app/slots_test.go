package app

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/worker"
)

// permits hands out permits and counts them.
type permits struct {
	worker.SlotSupplier
	reserved int
}

func (p *permits) ReserveSlot(context.Context, worker.SlotReservationInfo) (*worker.SlotPermit, error) {
	p.reserved++
	return new(worker.SlotPermit), nil
}

func (p *permits) TryReserveSlot(worker.SlotReservationInfo) *worker.SlotPermit {
	p.reserved++
	return new(worker.SlotPermit)
}

// A worker begins no activity while many ask something of Temporal.
func TestSlotsWaitWhileManyAsk(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asking atomic.Int64
		inner := new(permits)
		s := slots{inner, asking.Load}
		asking.Store(maxAsking)
		require.Nil(t, s.TryReserveSlot(nil))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.ReserveSlot(ctx, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Zero(t, inner.reserved)

		reserved := make(chan error)
		go func() {
			_, err := s.ReserveSlot(t.Context(), nil)
			reserved <- err
		}()
		<-time.After(time.Minute)
		synctest.Wait()
		require.Zero(t, inner.reserved)
		asking.Store(maxAsking - 1)
		require.NoError(t, <-reserved)
		require.NotNil(t, s.TryReserveSlot(nil))
		require.Equal(t, 2, inner.reserved)
	})
}

func TestFlagsWithOneArgument(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args    []string
		want    string
		wantErr string
	}{
		{[]string{"copy", "--data", "d"}, "copy", ""},
		{[]string{"--data", "d", "copy"}, "copy", ""},
		{nil, "", ""},
		{[]string{"copy", "other"}, "copy", `unexpected argument "other"`},
		{[]string{"--data", "d", "copy", "other"}, "", `unexpected argument "other"`},
	} {
		f := NewFlags("courier backup")
		data := f.String("data", "", "")
		got, err := f.ParseOne(tt.args, t.Output())
		require.Equal(t, tt.want, got)
		if tt.wantErr != "" {
			require.EqualError(t, err, tt.wantErr)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, len(tt.args) > 0, *data == "d")
	}
}
