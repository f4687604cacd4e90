package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// warmUpEvents are sent before the measuring begins: connections are made, statements prepared and
// caches filled by them.
const warmUpEvents = 100

// destination is an entry of the configuration.
type destination struct {
	name, url string
	// space is the one space whose events the destination gets, any when empty.
	space string
	// retries is the schedule in YAML, Courier's default when empty.
	retries string
}

// configuration is a courier.yaml with these destinations.
func configuration(destinations ...destination) string {
	var b strings.Builder
	b.WriteString("listen: 127.0.0.1:0\n")
	for i, d := range destinations {
		if i == 0 {
			b.WriteString("destinations:\n")
		}
		fmt.Fprintf(&b, "  - name: %s\n    url: %s\n    secrets: [%s]\n    allow_private: true\n", d.name, d.url, webhookSecret)
		if d.space != "" {
			fmt.Fprintf(&b, "    spaces: [%s]\n", d.space)
		}
		if d.retries != "" {
			fmt.Fprintf(&b, "    retries: [%s]\n", d.retries)
		}
	}
	return b.String()
}

// webhookSecret signs what the benchmark's own receiver gets. It protects nothing.
const webhookSecret = "Zm9yIGJlbmNobWFya3Mgb25seSwgMzIgYnl0ZXMgLi4"

// courier is the real program, everything in one process, on a data folder of its own.
type courier struct {
	*program
	*sender
	data string
	// before and after are what the program had used when the measuring began and ended; after is
	// nil until it has.
	before usage
	after  *usage
	// allocated is what was allocated when the measuring began, in bytes.
	allocated int64
	// warmed is how many events were sent before the measuring began.
	warmed int
}

// startCourier starts the program on an empty folder and returns when it is ready and at rest.
func (b *bench) startCourier(ctx context.Context, configuration string) (*courier, error) {
	data, err := b.newFolder()
	if err != nil {
		return nil, err
	}
	file := filepath.Join(data, "courier.yaml")
	if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
		return nil, err
	}
	listening, ready := watchFor(` msg=listening .*address=(\S+)`), watchFor(`Temporal gRPC +(\S+)`)
	p, err := launch(ctx, b.program, nil, []string{
		"--data", data, "--config", file, "--ui-listen", "127.0.0.1:0", "--temporal-listen", "127.0.0.1:0",
	}, listening, ready)
	if err != nil {
		return nil, err
	}
	c := &courier{program: p, data: data}
	if _, err = p.await(ctx, ready); err == nil {
		var address string
		address, err = p.await(ctx, listening)
		c.sender = newSender(address)
	}
	if err == nil {
		err = c.begin(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.stop(), os.RemoveAll(data))
	}
	return c, nil
}

// stop ends the sender's connections and the program.
func (c *courier) stop() error {
	c.close()
	return c.program.stop()
}

// begin has the costs count from now on.
func (c *courier) begin(ctx context.Context) (err error) {
	c.allocated = c.heap.allocated()
	c.before, err = settle(ctx, c.pid())
	return err
}

// warmUp sends the first events and has the costs count from after them.
func (c *courier) warmUp(ctx context.Context, r *receiver, space string) error {
	posts, err := c.closed(ctx, concurrentSenders, times(warmUpEvents), func() payload { return small(space) })
	if err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	if lost := r.await(ctx, posts); lost > 0 {
		return fmt.Errorf("warm up: %d events did not arrive", lost)
	}
	c.warmed = len(posts)
	return c.begin(ctx)
}

// end has the costs count up to now, unless that was said before.
func (c *courier) end(ctx context.Context) error {
	if c.after != nil {
		return nil
	}
	after, err := settle(ctx, c.pid())
	c.after = &after
	return err
}

// finish stops the program and reports what the events have cost.
func (c *courier) finish(ctx context.Context, b *bench, r *result, done costed) error {
	if err := c.end(ctx); err != nil {
		return errors.Join(err, c.stop())
	}
	if err := c.stop(); err != nil {
		return err
	}
	size, err := databaseSize(c.data)
	if err != nil {
		return err
	}
	r.addCosts(costs{
		costed:    done,
		cpu:       c.after.cpu - c.before.cpu,
		own:       c.after.own - c.before.own,
		allocated: c.heap.allocated() - c.allocated,
		// The events before the measuring are in the files as well.
		disk:   ratio(float64(size-b.emptySize), float64(done.events+c.warmed)),
		atRest: c.before.rss,
		peak:   c.after.peak,
	})
	return os.RemoveAll(c.data)
}

// databaseSize is the size of the database files in a folder, in bytes.
func databaseSize(folder string) (size int64, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.db*"))
	if err != nil {
		return 0, err
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		size += info.Size()
	}
	return size, nil
}
