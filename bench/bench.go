package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// bench is what the scenarios share.
type bench struct {
	// bin is the folder of the programs, folder the one of their data.
	bin, folder string
	quick       bool
	// program is the courier that is measured, baseline the one to compare with; empty for none.
	program, baseline string
	// emptySize is the size of the databases before any event, in bytes.
	emptySize int64
}

// scenario is one thing to measure.
type scenario struct {
	name, about string
	run         func(*bench, context.Context, *result) error
}

// scenarios are all of them, in the order in which they run.
func scenarios() []scenario {
	return []scenario{
		{"throughput", "32 senders post as fast as they are answered, to one destination; by turns with the engine's limit, the floors", (*bench).throughput},
		{"latency", "20 events a second to one destination", (*bench).latency},
		{"retry", "a destination that answers 503 three times: the waits 1s, 2s, 4s, each lengthened by up to 10 %", (*bench).retry},
		{"neighbour", "10 events a second to a fast destination, alone and beside destinations in trouble", (*bench).neighbour},
		{"outage", "events into a destination that answers 503 for a while, retried every 5s", (*bench).outage},
		{"waiting", "deliveries that wait an hour for their next attempt: 10,000 events of 1 KB, then 1,000 of 1 MiB", (*bench).waiting},
		{"lists", "pages of the API and the console with 50,000 deliveries, of which 5,000 wait; delivering while they are open", (*bench).lists},
		{"drain", "events accepted while no worker runs; separate programs", (*bench).drain},
		{"bodies", "requests of 1 MiB from 32 senders, of which one in 20 is stored and the others are refused", (*bench).bodies},
		{"steady", "200 events a second to one destination", (*bench).steady},
	}
}

func scenarioNames() []string {
	var names []string
	for _, sc := range scenarios() {
		names = append(names, sc.name)
	}
	return names
}

func newBench(s settings) (*bench, error) {
	return &bench{
		bin: s.bin, folder: s.folder, quick: s.quick, program: filepath.Join(s.bin, "courier"), baseline: s.baseline,
	}, os.MkdirAll(s.folder, 0o700)
}

// sized is how many of something a run takes: full, or a part in a quick one.
func (b *bench) sized(full, quick int) int {
	if b.quick {
		return quick
	}
	return full
}

// newFolder makes an empty data folder.
func (b *bench) newFolder() (string, error) {
	return os.MkdirTemp(b.folder, "data-")
}

// sizeOfEmpty starts and stops the program once, to learn the size of databases without events.
func (b *bench) sizeOfEmpty(ctx context.Context) error {
	if b.emptySize > 0 {
		return nil
	}
	c, err := b.startCourier(ctx, configuration())
	if err != nil {
		return err
	}
	if err := c.stop(); err != nil {
		return err
	}
	if b.emptySize, err = databaseSize(c.data); err != nil {
		return err
	}
	return os.RemoveAll(c.data)
}

// withCourier has a scenario use a program that gets these destinations, whose URLs are the
// receiver's with their own path unless they have one. The scenario returns how many events it has
// sent; their costs are reported.
func (b *bench) withCourier(ctx context.Context, r *result, a answer, destinations []destination, use func(*courier, *receiver) (costed, error)) error {
	if err := b.sizeOfEmpty(ctx); err != nil {
		return err
	}
	to, err := newReceiver(a)
	if err != nil {
		return err
	}
	defer to.close()
	for i, d := range destinations {
		if d.url == "" {
			destinations[i].url = to.url + "/" + d.name
		}
	}
	c, err := b.startCourier(ctx, configuration(destinations...))
	if err != nil {
		return err
	}
	done, err := use(c, to)
	if err != nil {
		return errors.Join(err, c.failure("was used"), c.stop(), os.RemoveAll(c.data))
	}
	return c.finish(ctx, b, r, done)
}

// seconds is n as a duration.
func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// self is the path of this program, which is also the engine and the floor.
func self() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("where this program is: %w", err)
	}
	return filepath.Clean(path), nil
}
