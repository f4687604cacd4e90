package api

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/deliveries"
)

func TestParseJob(t *testing.T) {
	t.Parallel()
	const (
		object    = "body must be one JSON object with any of destination, type, status, since, until, all, dryRun, perSecond"
		noFilter  = `give at least one of destination, type, status, since, until, or "all": true for every undelivered one`
		notText   = " must be visible ASCII characters or spaces"
		wrongType = " is of the wrong type"
		empty     = " is empty; give it a value or leave it out"
	)
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
		{"everything that was given up", `{"all":true}`, plain, ""},
		{"everything, in a dry run", ` {"all": true, "dryRun": true, "perSecond": 1000} `, with(func(in *deliveries.NewJob) {
			in.DryRun, in.PerSecond = true, 1000
		}), ""},
		{"one destination", `{"destination":"search","type":"site_view","all":false,"dryRun":true,"perSecond":5}`, with(func(in *deliveries.NewJob) {
			in.Destination, in.Type, in.DryRun, in.PerSecond = "search", "site_view", true, 5
		}), ""},
		{"a span", `{"since":"2026-03-03T00:00:00Z","until":"2026-03-04T00:00:00Z","status":"delivered"}`, with(func(in *deliveries.NewJob) {
			in.Since, in.Until, in.Status = noon.Add(-36*time.Hour), noon.Add(-12*time.Hour), deliveries.Delivered
		}), ""},

		{"no filter", `{}`, plain, noFilter},
		{"no filter, in a dry run", `{"dryRun":true,"perSecond":5}`, plain, noFilter},
		{"not all", `{"all":false}`, plain, noFilter},
		{"all and a filter", `{"all":true,"destination":"search"}`, plain, "all cannot be given together with destination; leave one of the two out"},
		{"all and the status", `{"status":"undelivered","all":true}`, plain, "all cannot be given together with status; leave one of the two out"},
		{"all as a text", `{"all":"true"}`, plain, "all" + wrongType},
		{"all null", `{"all":null}`, plain, "all" + wrongType},

		{"empty destination", `{"destination":""}`, plain, "destination" + empty},
		{"empty type", `{"destination":"search","type":""}`, plain, "type" + empty},
		{"empty status", `{"destination":"search","status":""}`, plain, "status" + empty},
		{"empty since", `{"destination":"search","since":""}`, plain, "since" + empty},
		{"empty until", `{"destination":"search","until":""}`, plain, "until" + empty},
		{"destination null", `{"destination":null}`, plain, "destination" + wrongType},
		{"since null", `{"since":null}`, plain, "since" + wrongType},
		{"dryRun null", `{"all":true,"dryRun":null}`, plain, "dryRun" + wrongType},
		{"destination that nobody can name", `{"destination":"\u0000"}`, plain, "destination" + notText},
		{"type beyond ASCII", `{"type":"ü"}`, plain, "type" + notText},
		{"type in invalid UTF-8", "{\"type\":\"\xff\"}", plain, "type" + notText},

		{"another case", `{"Destination":"search"}`, plain, `"Destination" is not a field; ` + object},
		{"the right case and another", `{"destination":"search","DESTINATION":"docs"}`, plain, `"DESTINATION" is not a field; ` + object},
		{"twice", `{"destination":"search","destination":"docs"}`, plain, "destination is given twice"},
		{"twice, escaped", `{"all":true,"dryRun":true,"dry\u0052un":false}`, plain, "dryRun is given twice"},
		{"unknown field", `{"destinations":"a"}`, plain, `"destinations" is not a field; ` + object},
		{"what is not over", `{"status":"retrying"}`, plain, "status must be one of delivered, undelivered, cancelled; others are not over"},
		{"span the wrong way round", `{"since":"2026-03-04T00:00:00Z","until":"2026-03-03T00:00:00Z"}`, plain, "since must be before until"},
		{"too fast", `{"all":true,"perSecond":1001}`, plain, "perSecond must be 1 to 1000"},
		{"too slow", `{"all":true,"perSecond":0}`, plain, "perSecond must be 1 to 1000"},
		{"wrong type", `{"perSecond":"many"}`, plain, "perSecond" + wrongType},
		{"not a time", `{"since":"yesterday"}`, plain, `since is not a time such as 2026-01-31T15:04:05Z`},
		{"nothing", ``, plain, object},
		{"null", `null`, plain, object},
		{"a list", `[]`, plain, object},
		{"too much", `{"all":true} {}`, plain, object},
		{"a trailing comma", `{"all":true,}`, plain, object},
		{"cut off", `{"all":true`, plain, object},
		{"cut off in a value", `{"all":tr`, plain, object},
		{"a number as name", `{1:true}`, plain, object},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseJob([]byte(tt.give))
			if tt.wantErr != "" {
				require.EqualError(t, err, tt.wantErr)
				return
			}
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
}

// However the body is written, a job without a filter says that it is meant.
func FuzzParseJob(f *testing.F) {
	f.Add(`{"destination":"search"}`)
	f.Add(`{"all":true,"dryRun":true}`)
	f.Add(`{"since":"2026-03-03T00:00:00Z","destination":""}`)
	f.Fuzz(func(t *testing.T, raw string) {
		in, err := ParseJob([]byte(raw))
		if err != nil {
			return
		}
		require.Regexp(t, "^[ -~]*$", in.Destination+in.Type)
		if in.Destination == "" && in.Type == "" && in.Since.IsZero() {
			require.Regexp(t, `all|\\u|status|until`, raw)
		}
	})
}
