package workflows

import (
	"strconv"
	"strings"

	"go.temporal.io/sdk/workflow"
)

// generation counts the changes of workflow code that leave other histories than the code before.
// Deliveries and holds begun by earlier code go on with that code, which is in the legacy files.
//
// The first generation that a worker reports is 3, of release 0.3. Workers of 0.1 and 0.2 reported
// the checksums of their programs.
const generation = 3

const buildPrefix = "courier.g"

// BuildID is the build id of Courier's workers. Temporal writes it into the history with every
// workflow task that a worker completes, so that it says which code a history is of, and into the
// list of a task queue's pollers.
var BuildID = buildPrefix + strconv.Itoa(generation)

// Generation is that of a worker with that build id; 0 of one of 0.2 or before.
func Generation(buildID string) int {
	suffix, ok := strings.CutPrefix(buildID, buildPrefix)
	if !ok {
		return 0
	}
	g, err := strconv.Atoi(suffix)
	if err != nil {
		return 0
	}
	return g
}

// isLegacy is whether the workflow was begun by a worker of 0.2 or before. It must be asked first
// thing in a workflow. Nothing but Temporal's test environment has no build id.
func isLegacy(ctx workflow.Context) bool {
	build := workflow.GetInfo(ctx).GetCurrentBuildID()
	return build != "" && Generation(build) < generation
}
