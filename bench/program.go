package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startTime is how long a program may take until it is ready.
	startTime = time.Minute
	// stopTime is how long it may take to stop; Courier drains for 40 seconds at most.
	stopTime = time.Minute
	// tailLines of a program's output are shown when it fails.
	tailLines = 20
)

// watch waits for a line of a program's output.
type watch struct {
	expression *regexp.Regexp
	found      chan string
}

// watchFor makes a watch for the first line that the pattern matches, of which it takes the
// pattern's first group.
func watchFor(pattern string) *watch {
	return &watch{regexp.MustCompile(pattern), make(chan string, 1)}
}

// program is a running process.
type program struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
	heap  heapTrace

	watches []*watch
	mu      sync.Mutex
	tail    []string
}

// launch starts a program with environment variables of its own, NAME=value. It is killed when ctx
// is done.
func launch(ctx context.Context, path string, variables, args []string, watches ...*watch) (*program, error) {
	p := &program{
		name:    filepath.Base(path),
		cmd:     exec.CommandContext(ctx, path, args...),
		ended:   make(chan struct{}),
		watches: watches,
	}
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "COURIER_") && !strings.HasPrefix(variable, "TEMPORAL_") {
			p.cmd.Env = append(p.cmd.Env, variable)
		}
	}
	p.cmd.Env = append(append(p.cmd.Env, "GODEBUG=gctrace=1"), variables...)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w; build the programs first, with make bench", err)
	}
	var readers sync.WaitGroup
	readers.Go(func() { p.read(stdout) })
	readers.Go(func() { p.read(stderr) })
	go func() {
		defer close(p.ended)
		readers.Wait()
		_ = p.cmd.Wait() // The process's state tells more.
	}()
	return p, nil
}

func (p *program) read(output io.Reader) {
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadString('\n')
		if line = strings.TrimRight(line, "\n"); line != "" && !p.heap.line(line) {
			p.line(line)
		}
		if err != nil {
			return
		}
	}
}

func (p *program) line(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tail = append(p.tail, text)
	p.tail = p.tail[max(0, len(p.tail)-tailLines):]
	for _, w := range p.watches {
		if found := w.expression.FindStringSubmatch(text); found != nil {
			select {
			case w.found <- found[1]:
			default: // It was found before.
			}
		}
	}
}

// await waits until a watch has found its line.
func (p *program) await(ctx context.Context, w *watch) (string, error) {
	timer := time.NewTimer(startTime)
	defer timer.Stop()
	select {
	case found := <-w.found:
		return found, nil
	case <-p.ended:
		// Its last output may have been just that.
		select {
		case found := <-w.found:
			return found, nil
		default:
		}
	case <-timer.C:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	return "", p.failure("did not print " + w.expression.String())
}

// stop asks the program to stop, and waits until it has.
func (p *program) stop() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // One that has ended needs no signal.
	timer := time.NewTimer(stopTime)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		_ = p.cmd.Process.Kill()
		<-p.ended
		return p.failure("did not stop")
	}
	if !p.cmd.ProcessState.Success() {
		return p.failure("failed: " + p.cmd.ProcessState.String())
	}
	return nil
}

// pid is the process's id.
func (p *program) pid() int { return p.cmd.Process.Pid }

func (p *program) failure(what string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return fmt.Errorf("%s %s; its last lines:\n%s", p.name, what, strings.Join(p.tail, "\n"))
}
