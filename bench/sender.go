package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// concurrentSenders is how many post at the same time in a closed loop.
	concurrentSenders = 32
	// postTimeout is how long a sender waits for its answer.
	postTimeout = 30 * time.Second
)

// sender posts events as GitBook's integration runtime does, over connections that are kept alive.
type sender struct {
	connections
	// client is for the API, which costs nothing that is measured.
	client http.Client
}

// post is an event that was posted.
type post struct {
	id, space string
	// posted is when the request began, accepted when its answer was there.
	posted, accepted time.Time
}

// newSender makes one for a server at an address, host:port.
func newSender(address string) *sender {
	return &sender{
		connections: connections{address: address},
		client:      http.Client{Timeout: postTimeout},
	}
}

// send posts a payload and returns the answer's status.
func (s *sender) send(ctx context.Context, p payload) (post, int, error) {
	sent := post{id: p.id, space: p.space, posted: time.Now()}
	status, err := s.post(ctx, p)
	sent.accepted = time.Now()
	return sent, status, err
}

// accept posts an event that must be stored.
func (s *sender) accept(ctx context.Context, p payload) (post, error) {
	sent, status, err := s.send(ctx, p)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("an event was answered %d", status)
	}
	return sent, err
}

// get reads a JSON answer of the API.
func (s *sender) get(ctx context.Context, path string, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url(path), nil)
	if err != nil {
		return err
	}
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s was answered %d", path, response.StatusCode)
	}
	return json.NewDecoder(response.Body).Decode(into)
}

// awaitReady waits until events can be stored.
func (s *sender) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	ticker := time.NewTicker(settleInterval)
	defer ticker.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url("/readyz"), nil)
		if err != nil {
			return err
		}
		if response, err := s.client.Do(request); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("the starter is not ready: %w", ctx.Err())
		}
	}
}

func (s *sender) url(path string) string { return "http://" + s.address + path }

// deliveryPath is the API's path of a delivery.
func deliveryPath(destination, eventID string) string {
	return "/api/deliveries/" + destination + "/" + url.PathEscape(eventID)
}

// times lets a loop run n times.
func times(n int) (more func() bool) {
	var begun atomic.Int64
	return func() bool { return begun.Add(1) <= int64(n) }
}

// lasting lets a loop run until d is over.
func lasting(d time.Duration) (more func() bool) {
	end := time.Now().Add(d)
	return func() bool { return time.Now().Before(end) }
}

// loop has several callers do the same, each the next as soon as it has done the last, while there
// is more to do. The first error ends it.
func loop(ctx context.Context, callers int, more func() bool, do func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for ctx.Err() == nil && more() {
				if err := do(ctx); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// closed posts events in a closed loop: each of the senders posts its next event when the last one
// was answered.
func (s *sender) closed(ctx context.Context, senders int, more func() bool, next func() payload) ([]post, error) {
	var (
		mu    sync.Mutex
		posts []post
	)
	err := loop(ctx, senders, more, func(ctx context.Context) error {
		p, err := s.accept(ctx, next())
		if err == nil {
			mu.Lock()
			posts = append(posts, p)
			mu.Unlock()
		}
		return err
	})
	return posts, err
}

// open posts n events in an open loop: at a rate a second, however long the answers take. It
// returns those that were accepted, and how many were refused because Courier had too much to do.
func (s *sender) open(ctx context.Context, rate float64, n int, next func(i int) payload) (posts []post, refused int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		all sync.WaitGroup
		mu  sync.Mutex
	)
	one := func(p payload) {
		sent, status, err := s.send(ctx, p)
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err != nil:
			cancel(err)
		case status == http.StatusOK:
			posts = append(posts, sent)
		case status == http.StatusServiceUnavailable:
			refused++
		default:
			cancel(fmt.Errorf("an event was answered %d", status))
		}
	}
	began := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for i := range n {
		timer.Reset(time.Until(began.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
		select {
		case <-timer.C:
			all.Go(func() { one(next(i)) })
			continue
		case <-ctx.Done():
		}
		break
	}
	all.Wait()
	return posts, refused, context.Cause(ctx)
}
