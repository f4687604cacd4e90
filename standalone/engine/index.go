package engine

import (
	"context"
	"database/sql"
	"regexp"
	"slices"
	"strings"
)

// The schema has an index for each of the some 60 things by which workflows can be listed. Every
// index costs time at every write of a record, two for each workflow, and even when the statement
// is prepared. What lists do not go by is therefore not indexed: a query for it is answered as
// well, by going through all records.

// visibilityIndex matches an index of the list of workflows, and captures its name and the column
// that it is about; the default index is about none.
var visibilityIndex = regexp.MustCompile(`(?i)^\s*CREATE INDEX (\w+)\s+ON ` + visibilityTable + ` \(namespace_id, (\w+)?`)

// preallocated matches the columns of pre-allocated search attributes, such as Keyword01.
var preallocated = regexp.MustCompile(`^(Temporal)?(Bool|Datetime|Double|Int|Keyword|LowCardinalityKeyword)\d\d$`)

// indexed are the columns that the UI's own lists go by.
var indexed = []string{"workflow_id", "workflow_type_name", "status", "root_workflow_id"}

// indexedIfSet are the columns that lists go by and that few workflows have: their indexes hold
// those workflows alone.
var indexedIfSet = []string{"parent_workflow_id", "TemporalNamespaceDivision", "TemporalPauseInfo"}

// byStart is an index of our own: Courier's lists go back through stretches of start time.
const byStart = "CREATE INDEX IF NOT EXISTS by_start_time ON " + visibilityTable + " (namespace_id, workflow_type_name, start_time)"

// index creates the indexes that lists go by, those of the search attributes in use among them, and
// drops the others, which an older version created.
func index(ctx context.Context, visibility *sql.DB, fields map[string]bool) error {
	if _, err := visibility.ExecContext(ctx, byStart); err != nil {
		return err
	}
	return eachStatement(func(stmt string) error {
		match := visibilityIndex.FindStringSubmatch(stmt)
		if match == nil {
			return nil
		}
		name, column := match[1], match[2]
		create := strings.Replace(stmt, "CREATE INDEX", "CREATE INDEX IF NOT EXISTS", 1)
		switch {
		case name == "default_idx", slices.Contains(indexed, column):
		case slices.Contains(indexedIfSet, column), preallocated.MatchString(column) && fields[column]:
			create = strings.TrimRight(create, "; \n") + " WHERE " + column + " IS NOT NULL"
		default:
			create = "DROP INDEX IF EXISTS " + name
		}
		_, err := visibility.ExecContext(ctx, create)
		return err
	})
}
