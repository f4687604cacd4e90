package workflows

import "go.temporal.io/sdk/workflow"

// SecretOverlapType is the workflow type of SecretOverlap.
const SecretOverlapType = "SecretOverlap"

// OverlapSecretsMemo is the memo of a SecretOverlap: the secrets that sign for an installation,
// sealed for the workflow's id.
const OverlapSecretsMemo = "secrets"

// overlapPrefix begins the workflow id of a SecretOverlap.
const overlapPrefix = "overlap."

// OverlapID is the workflow id of the overlap of a destination's secrets.
func OverlapID(destination string) string { return overlapPrefix + destination }

// OverlapSummary is its summary line.
func OverlapSummary(destination string) string {
	return "a replaced secret still signs for " + destination
}

// SecretOverlap is the time during which a secret that was replaced in GitBook still signs for its
// installation. The secrets are in its memo. Its first task is delayed for as long as the time
// lasts, so that it does nothing at all, and ends.
func SecretOverlap(workflow.Context) error { return nil }
