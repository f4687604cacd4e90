package app

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/fx"

	"github.com/gitbook-courier/courier/config"
)

func testOptions() Options {
	return Options{Config: config.Default(), Logger: slog.New(slog.DiscardHandler)}
}

func TestGraphsAreComplete(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		give Program
	}{
		{"starter", StarterProgram},
		{"worker", WorkerProgram},
		{"standalone", Standalone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, fx.ValidateApp(compose(testOptions(), tt.give)))
		})
	}
}
