package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// The floors: workflows without anything, and workflows that can be listed,
// which has a price of its own.
const (
	floorPlain  = "plain"
	floorListed = "listed"
)

func (b *bench) floor(ctx context.Context, r *result) error {
	floors := make(map[string]float64)
	for _, kind := range []string{floorPlain, floorListed} {
		if err := b.runFloor(ctx, r, kind, floors); err != nil {
			return err
		}
	}
	b.floors = floors
	return nil
}

func (b *bench) runFloor(ctx context.Context, r *result, kind string, floors map[string]float64) (err error) {
	program, err := self()
	if err != nil {
		return err
	}
	data, err := b.newFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	arguments := []string{floorMode, "--data", data, "--for", seconds(b.sized(15, 3)).String()}
	if kind == floorListed {
		arguments = append(arguments, "--listed")
	}
	printed := watchFor(`^(\{.*\})$`)
	p, err := launch(ctx, program, nil, arguments, printed)
	if err != nil {
		return err
	}
	<-p.ended // It ends by itself, and when ctx is done.
	line, err := p.await(ctx, printed)
	if err != nil {
		return err
	}
	var f floorResult
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		return err
	}
	floors[kind] = perSecond(f.Completed, f.Took)
	workflows := float64(f.Completed)
	add := func(what, unit string, value float64) { r.add(fmt.Sprintf("%s: %s", kind, what), unit, value) }
	add("completed", "/s", floors[kind])
	add("CPU for each workflow", "ms", ratio(milliseconds(f.CPU), workflows))
	add("allocated for each workflow", "KiB", ratio(kibibytes(float64(f.AllocatedBytes)), workflows))
	add("memory at most", "MiB", mebibytes(f.Peak))
	return nil
}
