package e2e_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// patience is how long a test waits for what must happen.
	patience = 90 * time.Second
	// lookInterval is the pause between two looks at whether it has happened.
	lookInterval = 20 * time.Millisecond
	// stopTime is how long a program that has nothing to do may take to stop.
	stopTime = 10 * time.Second
)

// waitFor looks until there is something to see, and returns it.
func waitFor[T any](t *testing.T, what string, look func() (T, bool)) T {
	t.Helper()
	return waitWithin(t, patience, what, look)
}

func waitWithin[T any](t *testing.T, patience time.Duration, what string, look func() (T, bool)) T {
	t.Helper()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		last, ok := look()
		if ok {
			return last
		}
		select {
		case <-ticker.C:
		case <-deadline.C:
			require.FailNowf(t, "waited in vain", "for %s; last seen: %+v", what, last)
		}
	}
}

// output collects what a program prints.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// program is a process of one of Courier's programs. It ends with the test.
type program struct {
	cmd            *exec.Cmd
	stdout, stderr output
	ended          chan struct{}
}

// launch starts a program, by its name or its path, with environment variables of its own,
// NAME=value.
func launch(t *testing.T, name string, variables []string, args ...string) *program {
	t.Helper()
	path := name
	if !filepath.IsAbs(path) {
		path = filepath.Join(binaries, name)
	}
	// The test's context is done when the test is over, and then kills.
	p := &program{cmd: exec.CommandContext(t.Context(), path, args...), ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "COURIER_") && !strings.HasPrefix(variable, "TEMPORAL_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	p.cmd.Env = append(p.cmd.Env, variables...)
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // The process's state tells more.
	}()
	t.Cleanup(func() {
		<-p.ended
		if t.Failed() {
			t.Logf("%s %v printed:\n%s\nand to stderr:\n%s", name, args, &p.stdout, &p.stderr)
		}
	})
	return p
}

// find waits until the program has printed something, and returns what the pattern's first group
// found of it.
func (p *program) find(t *testing.T, in *output, pattern string) string {
	t.Helper()
	expression := regexp.MustCompile(pattern)
	return waitFor(t, "output "+pattern, func() (string, bool) {
		ended := p.hasEnded()
		text := in.String()
		if found := expression.FindStringSubmatch(text); found != nil {
			return found[1], true
		}
		require.False(t, ended, "the program has ended: %s", &p.stderr)
		return text, false
	})
}

func (p *program) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// signal sends the process a signal.
func (p *program) signal(t *testing.T, signal os.Signal) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(signal))
}

// exitCode waits for the process to end. It is -1 for one that was killed.
func (p *program) exitCode(t *testing.T, within time.Duration) int {
	t.Helper()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		require.FailNow(t, "the program has not ended within "+within.String(), "%s", &p.stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// stop asks the program to stop, as Ctrl-C does, and checks that it stops well.
func (p *program) stop(t *testing.T) {
	t.Helper()
	p.signal(t, os.Interrupt)
	require.Zero(t, p.exitCode(t, stopTime))
}

// kill ends the process as a crash would.
func (p *program) kill(t *testing.T) {
	t.Helper()
	p.signal(t, os.Kill)
	require.Equal(t, -1, p.exitCode(t, stopTime))
}
