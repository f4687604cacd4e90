// Package version says which release of Courier a program is, and what of Temporal is in it.
package version

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
)

// Number is the release, by Semantic Versioning. A suffix -dev means that the release is still to
// come.
const Number = "0.3.0-dev"

// commit is set by the linker where the build knows no version control.
var commit string

// Info is what a program is made of.
type Info struct {
	// Version is Number.
	Version string
	// Commit is the first 12 digits of the commit's hash, with "+dirty" after it when files had been
	// changed; "unknown" when the build did not know it.
	Commit string
	// Temporal is the Temporal server inside the program, such as "server 1.32.1", or else the SDK:
	// "SDK 1.50.0".
	Temporal string
}

// Of reads what this program is made of.
func Of() Info {
	build, _ := debug.ReadBuildInfo()
	return of(build, commit)
}

func of(build *debug.BuildInfo, commit string) Info {
	info := Info{Version: Number, Temporal: "unknown"}
	if build == nil {
		info.Commit = cmp.Or(commit, "unknown")
		return info
	}
	var revision, changed string
	for _, setting := range build.Settings {
		switch setting.Key {
		case "vcs.revision":
			revision = setting.Value[:min(12, len(setting.Value))]
		case "vcs.modified":
			if setting.Value == "true" {
				changed = "+dirty"
			}
		}
	}
	if revision != "" {
		revision += changed
	}
	info.Commit = cmp.Or(commit, revision, "unknown")
	for _, module := range build.Deps {
		number := strings.TrimPrefix(module.Version, "v")
		switch module.Path {
		case "go.temporal.io/server":
			info.Temporal = "server " + number
		case "go.temporal.io/sdk":
			if !strings.HasPrefix(info.Temporal, "server") {
				info.Temporal = "SDK " + number
			}
		}
	}
	return info
}

// String is the line that --version prints after the program's name.
func (i Info) String() string {
	return fmt.Sprintf("%s, commit %s, Temporal %s", i.Version, i.Commit, i.Temporal)
}
