package api

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/deliveries"
	"github.com/gitbook-courier/courier/starter/respond"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give       error
		wantStatus int
		want       string
	}{
		{deliveries.ErrUnknown, 404, "no such delivery: there never was one, or Temporal's retention has removed it"},
		{&deliveries.StateError{Reason: "the delivery is over"}, 409, "the delivery is over"},
		{fmt.Errorf("%w: 10.1.2.3 refused", deliveries.ErrUnavailable), 503, "Temporal cannot be reached"},
		{fmt.Errorf("payload item 0: %w", deliveries.ErrKeyMissing), 500, "the key of an encrypted payload is missing; put it back into sealing_keys"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			err := Explain(func(http.ResponseWriter, *http.Request) error { return tt.give })(nil, nil)
			var shown *respond.Error
			require.ErrorAs(t, err, &shown)
			require.Equal(t, tt.wantStatus, shown.Status)
			require.Equal(t, tt.want, shown.Message)
		})
	}
	internal := errors.New("internal")
	require.Equal(t, internal, Explain(func(http.ResponseWriter, *http.Request) error { return internal })(nil, nil))
}
