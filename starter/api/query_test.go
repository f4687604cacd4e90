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
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := parseQuery(raw)
		if err == nil && (q.limit < 1 || q.limit > maxLimit) {
			t.Fatalf("limit %d", q.limit)
		}
	})
}

func TestJobRequest(t *testing.T) {
	t.Parallel()
	const object = "body must be one JSON object with any of destination, type, status, since, until, dryRun and perSecond"
	plain := deliveries.NewJob{Status: deliveries.Undelivered, PerSecond: 50}
	with := func(change func(*deliveries.NewJob)) deliveries.NewJob {
		in := plain
		change(&in)
		return in
	}
	tests := []struct {
		name    string
		give    string
		want    deliveries.NewJob
		wantErr string
	}{
		{"everything that was given up", `{}`, plain, ""},
		{"dry run of one destination", `{"destination":"search","type":"site_view","dryRun":true,"perSecond":5}`, with(func(in *deliveries.NewJob) {
			in.Destination, in.Type, in.DryRun, in.PerSecond = "search", "site_view", true, 5
		}), ""},
		{"a span", `{"since":"2026-03-03T00:00:00Z","until":"2026-03-04T00:00:00Z","status":"delivered"}`, with(func(in *deliveries.NewJob) {
			in.Since, in.Until, in.Status = noon.Add(-36*time.Hour), noon.Add(-12*time.Hour), "delivered"
		}), ""},
		{"what is not over", `{"status":"retrying"}`, plain, "status must be one of delivered, undelivered, cancelled; others are not over"},
		{"span the wrong way round", `{"since":"2026-03-04T00:00:00Z","until":"2026-03-03T00:00:00Z"}`, plain, "since must be before until"},
		{"too fast", `{"perSecond":1001}`, plain, "perSecond must be 1 to 1000"},
		{"unknown field", `{"destinations":"a"}`, plain, `"destinations" is not a field; ` + object},
		{"wrong type", `{"perSecond":"many"}`, plain, "perSecond is of the wrong type"},
		{"not a time", `{"since":"yesterday"}`, plain, `"yesterday" is not a time such as 2026-01-31T15:04:05Z`},
		{"nothing", ``, plain, object},
		{"null", `null`, plain, object},
		{"a list", `[]`, plain, object},
		{"too much", `{} {}`, plain, object},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := parseJob(strings.NewReader(tt.give))
			if tt.wantErr != "" {
				require.EqualError(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}
