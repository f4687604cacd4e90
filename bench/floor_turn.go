package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"
)

// floorTurn runs the engine with workflows of a kind for a while, and returns how many a second
// were completed.
func (b *bench) floorTurn(ctx context.Context, r *result, kind floorKind, lasts time.Duration) (rate float64, err error) {
	program, err := self()
	if err != nil {
		return 0, err
	}
	data, err := b.newFolder()
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(data)) }()
	printed := watchFor(`^(\{.*\})$`)
	p, err := launch(ctx, program, nil, []string{floorMode, "--data", data, "--for", lasts.String(), "--kind", string(kind)}, printed)
	if err != nil {
		return 0, err
	}
	<-p.ended // It ends by itself, and when ctx is done.
	line, err := p.await(ctx, printed)
	if err != nil {
		return 0, err
	}
	var f floorResult
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		return 0, err
	}
	rate = perSecond(f.Completed, f.Took)
	r.add(string(kind)+" floor: completed", "/s", rate)
	r.add(string(kind)+" floor: CPU for each workflow", "ms", ratio(milliseconds(f.CPU), float64(f.Completed)))
	return rate, nil
}
