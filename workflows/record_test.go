package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/workflows"
)

func TestAttributes(t *testing.T) {
	t.Parallel()
	value := func(space string) string {
		got, _ := workflows.Attributes(input(), "inst_1", space, "").GetKeyword(workflows.Space)
		return got
	}
	attributes := workflows.Attributes(input(), "inst_1", "space_1", "")
	require.Equal(t, 4, attributes.Size(), "no site, no attribute")
	destination, _ := attributes.GetKeyword(workflows.Destination)
	require.Equal(t, "search", destination)

	require.Equal(t, "space_1", value("space_1"))
	require.Equal(t, "space1", value("space\x00\n1"), "PostgreSQL takes no NUL")
	require.Equal(t, strings.Repeat("x", 255), value(strings.Repeat("x", 300)))
	require.Equal(t, strings.Repeat("é", 127), value(strings.Repeat("é", 200)), "cut between characters")
	require.Equal(t, "ab", value("a\xffb"))
}

func TestSummaryStaysShort(t *testing.T) {
	t.Parallel()
	require.Equal(t, "site_view → search", workflows.Summary("site_view", "search"))
	long := workflows.Summary(strings.Repeat("é", 500), "search")
	require.LessOrEqual(t, len(long), 400, "Temporal allows no more")
	require.True(t, strings.HasSuffix(long, "…"))
}
