package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// machine is what the figures depend on besides the program.
type machine struct {
	Cores  int    `json:"cores"`
	CPU    string `json:"cpu"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
	Commit string `json:"commit"`
	// FileSystem is the type of the file system of the data, such as ext4.
	FileSystem string `json:"fileSystem"`
}

func thisMachine(ctx context.Context, dataFolder string) (machine, error) {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return machine{}, fmt.Errorf("%w; the benchmark reads /proc and so runs on Linux only", err)
	}
	processor, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return machine{}, err
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return machine{}, err
	}
	folder, err := filepath.Abs(dataFolder)
	if err != nil {
		return machine{}, err
	}
	return machine{
		Cores:      runtime.NumCPU(),
		CPU:        cmp.Or(valueOf(string(processor), "model name"), runtime.GOARCH),
		Kernel:     strings.TrimSpace(string(kernel)),
		Go:         runtime.Version(),
		Commit:     commit(ctx),
		FileSystem: fileSystem(string(mounts), folder),
	}, nil
}

// String is the machine in a line.
func (m machine) String() string {
	line := fmt.Sprintf("%d cores, %s, Linux %s, %s, data on %s, commit %s", m.Cores, m.CPU, m.Kernel, m.Go, m.FileSystem, m.Commit)
	if m.FileSystem == "tmpfs" {
		line += "\nThe data are in memory, where syncing costs nothing: give --data a folder on a disk."
	}
	return line
}

// commit is the commit of the current folder, with "-dirty" when files differ from it, or "unknown"
// outside of a checkout.
func commit(ctx context.Context) string {
	described, err := exec.CommandContext(ctx, "git", "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(described))
}

// valueOf is the value of the first line "name: value" of a text, the way /proc has it, or "".
func valueOf(text, name string) string {
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		key, value, found := strings.Cut(lines.Text(), ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// fileSystem is the type of the file system that holds a folder, by the lines of
// /proc/self/mountinfo (see proc_pid_mountinfo(5)): the mount point is the fifth field, the type
// the first one after the separator "-".
func fileSystem(mounts, folder string) string {
	found, longest := "unknown", -1
	lines := bufio.NewScanner(strings.NewReader(mounts))
	for lines.Scan() {
		fields, rest, ok := strings.Cut(lines.Text(), " - ")
		where, what := strings.Fields(fields), strings.Fields(rest)
		if !ok || len(where) < 5 || len(what) == 0 {
			continue
		}
		point := strings.TrimSuffix(where[4], "/")
		if strings.HasPrefix(folder+"/", point+"/") && len(point) >= longest {
			found, longest = what[0], len(point)
		}
	}
	return found
}
