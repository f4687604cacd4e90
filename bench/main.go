// Command bench measures Courier on the machine that it runs on: how much it delivers, how late, at
// what cost, and how that compares with the limit of the engine below it. docs/benchmarks.md says
// what each line means.
//
// It runs the real programs as processes of their own and is itself the sender and the receiver. It
// knows the wire, the command lines and the stored names, and nothing of how the programs are made.
// Called with "engine" or "floor" as the first argument, it is one of the processes that it
// measures.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.Is(err, errUsage):
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case engineMode:
			return runEngine(ctx, args[1:])
		case floorMode:
			return runFloor(ctx, args[1:])
		}
	}
	s, err := parse(args)
	if err != nil {
		return err
	}
	return measure(ctx, s)
}

// settings are the flags.
type settings struct {
	only              []string
	quick             bool
	runs              int
	json, bin, folder string
	// baseline is another build of courier to compare with; empty for none.
	baseline string
}

// errUsage is a command line that was refused; flag has said why.
var errUsage = errors.New("usage")

func parse(args []string) (settings, error) {
	s := settings{only: scenarioNames()}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.Func("only", "these `scenarios`, separated by commas, of "+strings.Join(s.only, ", "), func(list string) error {
		s.only = strings.Split(list, ",")
		for _, name := range s.only {
			if !slices.Contains(scenarioNames(), name) {
				return fmt.Errorf("there is no scenario %q", name)
			}
		}
		return nil
	})
	flags.BoolVar(&s.quick, "quick", false, "short and small, to see that everything works; the figures compare with nothing")
	flags.IntVar(&s.runs, "runs", 1, "how `often` all of it is run; the medians are reported")
	flags.StringVar(&s.json, "json", "bench.json", "the `file` for the results")
	flags.StringVar(&s.baseline, "baseline", "", "another build of `courier`, such as the last release's, which takes turns with this one in throughput")
	flags.StringVar(&s.bin, "bin", "bin", "the `folder` of the programs courier, starter and worker")
	flags.StringVar(&s.folder, "data", filepath.Join("bin", "bench-data"), "the `folder` below which each program has its data; on a disk, since memory syncs for nothing")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return s, err
		}
		return s, errUsage
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if s.runs < 1 {
		return s, errors.New("--runs must be at least 1")
	}
	return s, nil
}

// measure runs the scenarios one after the other. One that fails is reported and does not keep the
// others from running.
func measure(ctx context.Context, s settings) error {
	b, err := newBench(s)
	if err != nil {
		return err
	}
	report, err := newReport(ctx, s)
	if err != nil {
		return err
	}
	fmt.Println(report.Machine)
	var failures []error
	for n := range s.runs {
		for _, sc := range scenarios() {
			if !slices.Contains(s.only, sc.name) {
				continue
			}
			fmt.Fprintf(os.Stderr, "run %d of %d: %s\n", n+1, s.runs, sc.name)
			r := new(result)
			if err := sc.run(b, ctx, r); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				failures = append(failures, fmt.Errorf("%s: %w", sc.name, err))
				fmt.Fprintln(os.Stderr, failures[len(failures)-1])
				continue
			}
			report.add(sc, r)
		}
	}
	report.print(os.Stdout)
	return errors.Join(append(failures, writeFile(s.json, report.encode))...)
}

func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

func (r *report) encode(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
