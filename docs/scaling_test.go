package docs_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

var costRow = regexp.MustCompile("(?m)^\\| [^|]+ \\| `([a-z_]+)` \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| \\d+ \\|$")

// The counts of a delivery's cost are those of the stored histories.
func TestCostsAreThoseOfTheHistories(t *testing.T) {
	t.Parallel()
	rows := costRow.FindAllStringSubmatch(read(t, "scaling.md"), -1)
	require.Len(t, rows, 5)
	for _, row := range rows {
		types := eventTypes(t, "../workflows/testdata/histories/v0.3.0_"+row[1]+".json.gz")
		total := 0
		for _, n := range types {
			total += n
		}
		counts := []int{
			total, types["EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"], types["EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED"], types["EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"],
		}
		for i, count := range counts {
			require.Equal(t, strconv.Itoa(count), row[i+2], "%s, column %d", row[1], i+3)
		}
	}
}

// eventTypes counts the events of a stored history by their types.
func eventTypes(t *testing.T, path string) map[string]int {
	t.Helper()
	file, err := os.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, file.Close()) }()
	unpacked, err := gzip.NewReader(file)
	require.NoError(t, err)
	var history struct {
		Events []struct {
			EventType string `json:"eventType"`
		} `json:"events"`
	}
	require.NoError(t, json.NewDecoder(unpacked).Decode(&history))
	types := make(map[string]int)
	for _, event := range history.Events {
		types[event.EventType]++
	}
	return types
}
