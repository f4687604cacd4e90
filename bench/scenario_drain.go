package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

func (b *bench) drain(ctx context.Context, r *result) (err error) {
	if err := b.sizeOfEmpty(ctx); err != nil {
		return err
	}
	to, err := newReceiver(always200)
	if err != nil {
		return err
	}
	defer to.close()
	data, err := b.newFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	c := &cluster{bin: b.bin, data: data, file: filepath.Join(data, "courier.yaml")}
	defer func() { err = errors.Join(err, c.stop()) }()
	if err := os.WriteFile(c.file, []byte(configuration(destination{name: "fast", url: to.url + "/fast"})), 0o600); err != nil {
		return err
	}
	return c.drain(ctx, b, to, r)
}

// cluster is Temporal and Courier's programs, each a process of its own.
type cluster struct {
	bin, data, file string
	address         string
	programs        []*program
}

func (c *cluster) drain(ctx context.Context, b *bench, to *receiver, r *result) error {
	if err := c.startEngine(ctx); err != nil {
		return err
	}
	listening, err := c.start(ctx, "starter", ` msg=listening .*address=(\S+)`)
	if err != nil {
		return err
	}
	s := newSender(listening)
	defer s.close()
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	n := b.sized(2000, 300)
	posts, err := s.closed(ctx, concurrentSenders, times(n), func() payload { return small(anySpace) })
	if err != nil {
		return err
	}
	began, accepted := span(posts)
	r.add("accepted without a worker", "/s", perSecond(n, accepted.Sub(began)))

	before, err := settle(ctx, c.pids()...)
	if err != nil {
		return err
	}
	if _, err := c.start(ctx, "worker", ` msg="(worker started)"`); err != nil {
		return err
	}
	began = time.Now()
	lost := to.await(ctx, posts)
	last, err := to.last(posts)
	if err != nil {
		return err
	}
	r.add("drained by one worker", "/s", perSecond(n-lost, last.Sub(began)))
	r.judge("lost", "events", float64(lost), targetNone)
	after, err := settle(ctx, c.pids()...)
	if err != nil {
		return err
	}
	if err := c.stop(); err != nil {
		return err
	}
	size, err := databaseSize(c.data)
	if err != nil {
		return err
	}
	r.add("CPU to drain, all programs, for each event", "ms", ratio(milliseconds(after.cpu-before.cpu), float64(n)))
	r.addOwn(after.own-before.own, n)
	r.add("disk for each event", "KiB", ratio(kibibytes(float64(size-b.emptySize)), float64(n)))
	r.add("memory at most, all programs", "MiB", mebibytes(after.peak))
	return nil
}

// startEngine starts the Temporal server.
func (c *cluster) startEngine(ctx context.Context) error {
	path, err := self()
	if err != nil {
		return err
	}
	address := watchFor(`^engine at (\S+)$`)
	p, err := launch(ctx, path, nil, []string{engineMode, "--data", c.data}, address)
	if err != nil {
		return err
	}
	c.programs = append(c.programs, p)
	c.address, err = p.await(ctx, address)
	return err
}

// start starts a program of Courier's, and returns what it prints when it is ready.
func (c *cluster) start(ctx context.Context, name, ready string) (string, error) {
	w := watchFor(ready)
	p, err := launch(ctx, filepath.Join(c.bin, name), []string{"TEMPORAL_ADDRESS=" + c.address}, []string{"--config", c.file}, w)
	if err != nil {
		return "", err
	}
	c.programs = append(c.programs, p)
	return p.await(ctx, w)
}

// stop stops all programs, the server last.
func (c *cluster) stop() error {
	var errs []error
	for len(c.programs) > 0 {
		last := len(c.programs) - 1
		errs = append(errs, c.programs[last].stop())
		c.programs = c.programs[:last]
	}
	return errors.Join(errs...)
}

func (c *cluster) pids() []int {
	var pids []int
	for _, p := range c.programs {
		pids = append(pids, p.pid())
	}
	return pids
}
