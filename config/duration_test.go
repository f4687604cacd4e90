package config

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()

	tests := []struct {
		give    string
		want    time.Duration
		wantErr bool
	}{
		{give: "0", want: 0},
		{give: "100ms", want: 100 * time.Millisecond},
		{give: "1m30s", want: 90 * time.Second},
		{give: "1.5h", want: 90 * time.Minute},
		{give: "3d", want: 72 * time.Hour},
		{give: "1d12h30m", want: 36*time.Hour + 30*time.Minute},
		{give: "-1s", want: -time.Second},
		{give: "", wantErr: true},
		{give: "10", wantErr: true},
		{give: "10 s", wantErr: true},
		{give: "1w", wantErr: true},
		{give: "d", wantErr: true},
		{give: "-1d", wantErr: true},
		{give: "1.5d", wantErr: true},
		{give: "1d-2h", wantErr: true},
		{give: "1d2d", wantErr: true},
		{give: "1h2d", wantErr: true},
		{give: "100001d", wantErr: true},
		{give: "99999999999999999999d", wantErr: true},
		{give: "100000d2562047h", wantErr: true},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()

			got, err := parseDuration(tt.give)
			if tt.wantErr {
				require.ErrorIs(t, err, errDuration)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

func TestFormatDurationReadsBack(t *testing.T) {
	t.Parallel()

	for _, want := range []string{"0s", "50ms", "1s", "10s", "10m", "1m30s", "1h", "24h", "1h0m30s", "30d", "-1m"} {
		d, err := parseDuration(want)
		require.NoError(t, err)
		require.Equal(t, want, formatDuration(d))
	}
}
