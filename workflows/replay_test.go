package workflows_test

import (
	"compress/gzip"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// histories are what the server recorded of the workflows of each release: files
// <release>_<case>.json.gz, which the end-to-end tests write.
const histories = "testdata/histories"

// stored are the stored histories by their files' names.
func stored(t *testing.T) map[string]*historypb.History {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(histories, "*.json.gz"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := make(map[string]*historypb.History, len(files))
	for _, file := range files {
		compressed, err := os.Open(file)
		require.NoError(t, err)
		text, err := gzip.NewReader(compressed)
		require.NoError(t, err)
		history, err := client.HistoryFromJSON(text, client.HistoryJSONOptions{})
		require.NoError(t, err)
		require.NoError(t, compressed.Close())
		all[filepath.Base(file)] = history
	}
	return all
}

// A delivery may run for weeks, and be finished by a later release than the one that began it. A
// change of the workflow that fails here needs a version (workflow.GetVersion); the stored history
// stays as it is.
func TestReplay(t *testing.T) {
	t.Parallel()
	for name, history := range stored(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &replaying{extra: -1}
			require.NoError(t, r.replay(history))
		})
	}
}

// A command more anywhere, which the history does not have, must not pass TestReplay.
func TestReplayRefusesEveryOtherCommand(t *testing.T) {
	t.Parallel()
	for name, history := range stored(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &replaying{extra: -1}
			require.NoError(t, r.replay(history))
			require.Greater(t, r.gaps, 1)
			for extra := range r.gaps {
				other := &replaying{extra: extra}
				require.Error(t, other.replay(history), "a timer in gap %d of %d", extra, r.gaps)
			}
		})
	}
}

// Every release has its histories, or the next one could break its deliveries unseen: `make
// histories` writes those of the newest. A case that a release has, the next one has too.
func TestEveryReleaseHasHistory(t *testing.T) {
	t.Parallel()
	changelog, err := os.ReadFile("../CHANGELOG.md")
	require.NoError(t, err)
	releases := regexp.MustCompile(`(?m)^## \[(\d+\.\d+\.\d+)\]`).FindAllSubmatch(changelog, -1)
	require.NotEmpty(t, releases)
	cases := map[string]bool{"delivered": true, "retried": true, "undelivered": true, "cancelled": true, "redelivered": true, "held": true, "hold": true, "redelivery": true}
	all := stored(t)
	for _, release := range slices.Backward(releases) {
		prefix := "v" + string(release[1]) + "_"
		for name := range all {
			if of, ok := strings.CutPrefix(name, prefix); ok {
				cases[strings.TrimSuffix(of, ".json.gz")] = true
			}
		}
		for name := range cases {
			require.Contains(t, all, prefix+name+".json.gz")
		}
	}
}

// isLegacy is whether a history is of the code in the legacy files.
func isLegacy(name string) bool {
	return strings.HasPrefix(name, "v0.1.0_") || strings.HasPrefix(name, "v0.2.0_")
}

// unreached are the calls that no stored history makes. Those in the legacy files are of cases that
// the end-to-end tests of 0.1 and 0.2 did not have, and that code does not change any more.
var unreached = []string{
	"deliver → receiveAttempts", // its commands are a coroutine's, whose stack does not show it

	"legacyDelivery.run → giveUp", "legacyDelivery.giveUp → notifyUndelivered", // with a notice
	"legacyDelivery.awaitsAnother → Sleep",                                                                                       // without a key
	"legacyHold.run → notifyHeld", "legacyHold.wait → probe", "legacyHold.probe → ExecuteActivity", "legacyHold.wait → showHeld", // failing
}

// Every call that makes a command is made in a stored history, on every way that leads to it. So
// TestReplay fails when one of them changes, and a new one needs a stored history.
func TestHistoriesReachEveryCommand(t *testing.T) {
	t.Parallel()
	current, legacy := make(map[line]bool), make(map[line]bool)
	for name, history := range stored(t) {
		r := &replaying{extra: -1}
		require.NoError(t, r.replay(history))
		reached := current
		if isLegacy(name) {
			reached = legacy
		}
		for line := range r.lines {
			reached[line] = true
		}
	}
	var missing []string
	for _, call := range commandCalls(t) {
		reached := current
		if call.legacy {
			reached = legacy
		}
		if !call.isIn(reached) {
			missing = append(missing, call.name)
		}
	}
	require.ElementsMatch(t, unreached, missing, "without a stored history")
}

// The commands by which a workflow cancels its timers and activities are made by cancel functions,
// which an interceptor does not see.
func TestHistoriesReachEveryCancellation(t *testing.T) {
	t.Parallel()
	found := make(map[enumspb.EventType]bool)
	activities := make(map[string]bool)
	for name, history := range stored(t) {
		if isLegacy(name) {
			continue
		}
		scheduled := make(map[int64]string)
		for _, event := range history.GetEvents() {
			found[event.GetEventType()] = true
			if a := event.GetActivityTaskScheduledEventAttributes(); a != nil {
				scheduled[event.GetEventId()] = a.GetActivityType().GetName()
			}
			if a := event.GetActivityTaskCancelRequestedEventAttributes(); a != nil {
				activities[scheduled[a.GetScheduledEventId()]] = true
			}
		}
	}
	require.True(t, found[enumspb.EVENT_TYPE_TIMER_CANCELED])
	require.Equal(t, map[string]bool{"SendWebhook": true, "ProbeDestination": true, "ReleaseDeliveries": true, "RedeliverPage": true}, activities)
}

// commandCall is a call in the package that makes a command, or may lead to one.
type commandCall struct {
	name     string // such as "delivery.send → ExecuteActivity"
	legacy   bool
	file     string
	from, to int // lines
	calls    string
}

func (c commandCall) isIn(reached map[line]bool) bool {
	for n := c.from; n <= c.to; n++ {
		if reached[line{c.file, n}] {
			return true
		}
	}
	return false
}

// commandFunctions are the functions of the SDK's package workflow, and the methods of its types,
// that make a command. True makes one, false none.
var commandFunctions = map[string]bool{
	"AwaitWithTimeout": true, "AwaitWithOptions": true, "ExecuteActivity": true, "ExecuteChildWorkflow": true, "ExecuteLocalActivity": true,
	"NewContinueAsNewError": true, "NewTimer": true, "NewTimerWithOptions": true, "Sleep": true, "UpsertMemo": true,
	"UpsertTypedSearchAttributes": true,

	"Await": false, "GetInfo": false, "GetLogger": false, "GetMetricsHandler": false, "GetSignalChannel": false, "Go": false, "NewBufferedChannel": false,
	"NewDisconnectedContext": false, "NewSelector": false, "Now": false, "SetCurrentDetails": false, "WithActivityOptions": false,
	"WithCancel": false, "WithChildOptions": false, "WithLocalActivityOptions": false,
}

// commandMethods are the methods of the SDK's types that make a command.
var commandMethods = []string{"ReceiveWithTimeout", "SignalChildWorkflow"}

// commandCalls finds the calls that make commands, and the calls of the package's own functions
// that lead to them, in the package's source.
func commandCalls(t *testing.T) []commandCall {
	t.Helper()
	var all []commandCall
	functions := make(map[string]bool) // of the package, by name; true when it leads to a command
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	set := token.NewFileSet()
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, declared := range parsed.Decls {
			if function, ok := declared.(*ast.FuncDecl); ok {
				functions[function.Name.Name] = false
				all = append(all, callsIn(t, set, file, function)...)
			}
		}
	}
	for grown := true; grown; {
		grown = false
		for _, call := range all {
			in := call.name[strings.LastIndexByte(call.name[:strings.Index(call.name, " ")], '.')+1 : strings.Index(call.name, " ")]
			if (commandFunctions[call.calls] || functions[call.calls]) && !functions[in] {
				functions[in], grown = true, true
			}
		}
	}
	return slices.DeleteFunc(all, func(call commandCall) bool { return !commandFunctions[call.calls] && !functions[call.calls] })
}

// callsIn are the calls in a function of the package.
func callsIn(t *testing.T, set *token.FileSet, file string, function *ast.FuncDecl) (all []commandCall) {
	t.Helper()
	name := function.Name.Name
	if function.Recv != nil {
		receiver := function.Recv.List[0].Type
		if star, ok := receiver.(*ast.StarExpr); ok {
			receiver = star.X
		}
		name = receiver.(*ast.Ident).Name + "." + name
	}
	var walk func(node ast.Node, legacy bool)
	walk = func(node ast.Node, legacy bool) {
		ast.Inspect(node, func(n ast.Node) bool {
			if branch, ok := n.(*ast.IfStmt); ok && !legacy {
				if call, ok := branch.Cond.(*ast.CallExpr); ok && called(t, call) == "isLegacy" {
					walk(branch.Body, true)
					return false
				}
			}
			if call, ok := n.(*ast.CallExpr); ok && called(t, call) != "" {
				all = append(all, commandCall{
					name: name + " → " + called(t, call), legacy: legacy, file: file, calls: called(t, call),
					from: set.Position(call.Pos()).Line, to: set.Position(call.End()).Line,
				})
			}
			return true
		})
	}
	walk(function.Body, strings.HasPrefix(file, "legacy_"))
	return all
}

// called is the name of the function of the package or of the SDK that a call calls; "" when it is
// of neither.
func called(t *testing.T, call *ast.CallExpr) string {
	t.Helper()
	switch function := call.Fun.(type) {
	case *ast.Ident:
		return function.Name
	case *ast.SelectorExpr:
		name := function.Sel.Name
		on, ok := function.X.(*ast.Ident)
		if ok && on.Name == "workflow" {
			require.Contains(t, commandFunctions, name, "say whether it makes a command; the interceptor of these tests must know it")
		}
		return name
	default:
		return ""
	}
}
