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
		want    Query
		wantErr string
	}{
		{"", Query{Limit: 50}, ""},
		{
			"destination=search&type=site_view&installation=i&space=s&site=t&status=held&since=2026-03-04T12:00:00Z&until=2026-03-04T14:00:00%2B01:00&limit=200&cursor=x",
			Query{Filter: deliveries.Filter{
				Destination: "search", Type: "site_view", Installation: "i", Space: "s", Site: "t", Status: deliveries.Held,
				Since: noon, Until: noon.Add(time.Hour),
			}, Limit: 200, Cursor: "x"},
			"",
		},
		{"status=lost", Query{}, "status must be one of pending, retrying, held, delivered, undelivered, cancelled"},
		{"since=yesterday", Query{}, "since is not a time such as 2026-01-31T15:04:05Z"},
		{"until=2026-03-04", Query{}, "until is not a time such as 2026-01-31T15:04:05Z"},
		{"since=2026-03-04T12:00:00Z&until=2026-03-04T12:00:00Z", Query{}, "since must be before until"},
		{"limit=0", Query{}, "limit must be 1 to 200"},
		{"limit=201", Query{}, "limit must be 1 to 200"},
		{"limit=many", Query{}, "limit must be 1 to 200"},
		{"destinatoin=search", Query{}, `"destinatoin" is not a parameter of this list`},
		{"Destination=search", Query{}, `"Destination" is not a parameter of this list`},
		{"destinatoin=a&destinatoin=b", Query{}, `"destinatoin" is not a parameter of this list`},
		{"destination=", Query{}, "destination is empty; give it a value or leave it out"},
		{"type", Query{}, "type is empty; give it a value or leave it out"},
		{"status=", Query{}, "status is empty; give it a value or leave it out"},
		{"since=", Query{}, "since is empty; give it a value or leave it out"},
		{"until=", Query{}, "until is empty; give it a value or leave it out"},
		{"limit=", Query{}, "limit is empty; give it a value or leave it out"},
		{"cursor=", Query{Limit: 50}, ""},
		{"destination=%00", Query{}, "destination must be visible ASCII characters or spaces"},
		{"type=%FF", Query{}, "type must be visible ASCII characters or spaces"},
		{"installation=a%0Ab", Query{}, "installation must be visible ASCII characters or spaces"},
		{"space=ü", Query{}, "space must be visible ASCII characters or spaces"},
		{"site=%7F", Query{}, "site must be visible ASCII characters or spaces"},
		{"status=%00", Query{}, "status must be visible ASCII characters or spaces"},
		{"since=%FF", Query{}, "since must be visible ASCII characters or spaces"},
		{"cursor=%C3%BC", Query{}, "cursor must be visible ASCII characters or spaces"},
		{"space=" + strings.Repeat("x", 255), Query{Filter: deliveries.Filter{Space: strings.Repeat("x", 255)}, Limit: 50}, ""},
		{"space=" + strings.Repeat("x", 256), Query{}, "space is longer than 255 characters"},
		{"type=a&type=b", Query{}, "type is given twice"},
		{"type=%zz", Query{}, "the query string is not one"},
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
			require.True(t, tt.want.Filter.Until.Equal(got.Filter.Until))
			got.Filter.Until = tt.want.Filter.Until // another location, the same instant
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
		require.LessOrEqual(t, q.Limit, maxLimit)
		require.Positive(t, q.Limit)
		for _, text := range []string{q.Filter.Destination, q.Filter.Type, q.Filter.Installation, q.Filter.Space, q.Filter.Site, q.Cursor} {
			require.Regexp(t, "^[ -~]*$", text)
		}
	})
}
