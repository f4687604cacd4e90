package api

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/deliveries"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func TestParseQuery(t *testing.T) {
	t.Parallel()
	tests := []struct {
		give    string
		want    listQuery
		wantErr string
	}{
		{"", listQuery{limit: 50}, ""},
		{
			"destination=search&type=site_view&installation=i&space=s&site=t&status=held&since=2026-03-04T12:00:00Z&until=2026-03-04T14:00:00%2B01:00&limit=200&cursor=x",
			listQuery{filter: deliveries.Filter{
				Destination: "search", Type: "site_view", Installation: "i", Space: "s", Site: "t", Status: deliveries.Held,
				Since: noon, Until: noon.Add(time.Hour),
			}, limit: 200, cursor: "x"},
			"",
		},
		{"status=lost", listQuery{}, "status must be one of pending, retrying, held, delivered, undelivered, cancelled"},
		{"since=yesterday", listQuery{}, "since is not a time such as 2026-01-31T15:04:05Z"},
		{"until=2026-03-04", listQuery{}, "until is not a time such as 2026-01-31T15:04:05Z"},
		{"since=2026-03-04T12:00:00Z&until=2026-03-04T12:00:00Z", listQuery{}, "since must be before until"},
		{"limit=0", listQuery{}, "limit must be 1 to 200"},
		{"limit=201", listQuery{}, "limit must be 1 to 200"},
		{"limit=many", listQuery{}, "limit must be 1 to 200"},
		{"destinatoin=search", listQuery{}, `"destinatoin" is not a parameter of this list`},
		{"Destination=search", listQuery{}, `"Destination" is not a parameter of this list`},
		{"destinatoin=a&destinatoin=b", listQuery{}, `"destinatoin" is not a parameter of this list`},
		{"destination=", listQuery{}, "destination is empty; give it a value or leave it out"},
		{"type", listQuery{}, "type is empty; give it a value or leave it out"},
		{"status=", listQuery{}, "status is empty; give it a value or leave it out"},
		{"since=", listQuery{}, "since is empty; give it a value or leave it out"},
		{"until=", listQuery{}, "until is empty; give it a value or leave it out"},
		{"limit=", listQuery{}, "limit is empty; give it a value or leave it out"},
		{"cursor=", listQuery{limit: 50}, ""},
		{"destination=%00", listQuery{}, "destination must be visible ASCII characters or spaces"},
		{"type=%FF", listQuery{}, "type must be visible ASCII characters or spaces"},
		{"installation=a%0Ab", listQuery{}, "installation must be visible ASCII characters or spaces"},
		{"space=ü", listQuery{}, "space must be visible ASCII characters or spaces"},
		{"site=%7F", listQuery{}, "site must be visible ASCII characters or spaces"},
		{"status=%00", listQuery{}, "status must be visible ASCII characters or spaces"},
		{"since=%FF", listQuery{}, "since must be visible ASCII characters or spaces"},
		{"cursor=%C3%BC", listQuery{}, "cursor must be visible ASCII characters or spaces"},
		{"space=" + strings.Repeat("x", 255), listQuery{filter: deliveries.Filter{Space: strings.Repeat("x", 255)}, limit: 50}, ""},
		{"space=" + strings.Repeat("x", 256), listQuery{}, "space is longer than 255 characters"},
		{"type=a&type=b", listQuery{}, "type is given twice"},
		{"type=%zz", listQuery{}, "the query string is not one"},
	}
	for _, tt := range tests {
		t.Run(tt.give, func(t *testing.T) {
			t.Parallel()
			got, err := parseQuery(tt.give)
			if tt.wantErr != "" {
				require.EqualError(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.True(t, tt.want.filter.Until.Equal(got.filter.Until))
			got.filter.Until = tt.want.filter.Until // another location, the same instant
			require.Equal(t, tt.want, got)
		})
	}
}

func FuzzParseQuery(f *testing.F) {
	f.Add("destination=a&limit=5")
	f.Add("since=2026-03-04T12:00:00Z&status=held")
	f.Add("destination=%00")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err != nil {
			return
		}
		require.LessOrEqual(t, q.limit, maxLimit)
		require.Positive(t, q.limit)
		for _, text := range []string{q.filter.Destination, q.filter.Type, q.filter.Installation, q.filter.Space, q.filter.Site, q.cursor} {
			require.Regexp(t, "^[ -~]*$", text)
		}
	})
}
