package config

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
	"github.com/gitbook-courier/courier/workflows"
)

func TestWarnings(t *testing.T) {
	t.Parallel()

	to := func(events ...string) Config { return Config{Destinations: []Destination{{}, {Events: events}}} }
	tests := []struct {
		name string
		give Config
		want []string
	}{
		{name: "GitBook's types", give: to(gitbook.EventTypes()...)},
		{name: "Courier's types", give: to(workflows.UndeliveredEventType, workflows.HeldEventType)},
		{
			name: "a slip",
			give: to("site_view", "site_veiw", "courier.destination.hold"),
			want: []string{
				"destinations[1].events[1]: site_veiw is not a known event type; did you mean site_view?",
				"destinations[1].events[2]: courier.destination.hold is not a known event type; did you mean courier.destination.held?",
			},
		},
		{
			name: "a type like no other, which is not shown",
			give: to("hunter2hunter2"),
			want: []string{"destinations[1].events[0]: is not a known event type; check its spelling"},
		},
		{
			name: "nothing to deliver to",
			give: Config{Installations: []Installation{}},
			want: []string{"destinations: there are none, and no installations, so nothing is delivered; add an entry to one of them"},
		},
		{name: "installations alone", give: Config{Installations: []Installation{{ID: "*"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()

			require.Equal(t, tt.want, tt.give.Warnings())
		})
	}
}
