package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/config"
)

// A body that is read at all comes before GitBook stops waiting for an answer.
func TestLimitsFitTogether(t *testing.T) {
	t.Parallel()
	c := config.Default()
	l := newLimits(c)
	require.Equal(t, 10*time.Second, l.read())
	require.Less(t, l.contended, l.queue, "a request that waits outlasts a slow body")
	require.Greater(t, l.write, l.queue+l.body+15*time.Second+l.drain, "an operator's request is answered")
	require.Greater(t, l.drainBytes, 2*c.MaxBodyBytes, "a body that is too large is drained")
	require.Equal(t, c.MaxRequests, l.events)
	require.Greater(t, l.connections, l.events+l.operators)
}

// slowly is a request whose body comes when the test says so, and remembers the deadline that it
// was given.
type slowly struct {
	*httptest.ResponseRecorder
	io.Reader
	send     *io.PipeWriter
	request  *http.Request
	deadline time.Time
}

func newSlowly(t *testing.T) *slowly {
	t.Helper()
	s := &slowly{ResponseRecorder: httptest.NewRecorder()}
	s.Reader, s.send = io.Pipe()
	s.request = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", s.Reader)
	return s
}

func (s *slowly) SetReadDeadline(at time.Time) error {
	s.deadline = at
	return nil
}

// newTestGate has one slot, and serves a request until its body has come and then for a minute.
func newTestGate() (*gate, http.Handler) {
	g := newGate(fixedConcurrency(1), newLimits(config.Default()), slog.New(slog.DiscardHandler))
	return g, g.guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-time.After(time.Minute)
		w.WriteHeader(http.StatusNoContent)
	}))
}

// unhurried is how many bodies are coming in that have their whole time.
func (g *gate) unhurried() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.bodies)
}

// queued is how many requests wait, and used how many slots are in use.
func (g *gate) state() (queued, used int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.Len(), g.inUse
}

func TestFullGateAnswers503AfterAWhileWithTheBodyUnread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, handler := newTestGate()
		begun := time.Now()
		first := httptest.NewRecorder()
		go handler.ServeHTTP(first, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", nil))
		synctest.Wait()

		body := strings.NewReader("unread")
		second := httptest.NewRecorder()
		handler.ServeHTTP(second, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body))
		require.Equal(t, http.StatusServiceUnavailable, second.Code)
		require.Equal(t, busyAfter, second.Header().Get("Retry-After"))
		require.Equal(t, 2*time.Second, time.Since(begun))
		require.Equal(t, len("unread"), body.Len())

		// A request that comes shortly before a slot becomes free gets it.
		<-time.After(57 * time.Second)
		third := httptest.NewRecorder()
		handler.ServeHTTP(third, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", body))
		require.Equal(t, http.StatusNoContent, third.Code)
		require.Equal(t, http.StatusNoContent, first.Code)
		require.Equal(t, 2*time.Minute, time.Since(begun))
	})
}

func TestBodiesAreHurriedWhileOthersWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate, handler := newTestGate()
		first, second := newSlowly(t), newSlowly(t)
		begun := time.Now()
		go handler.ServeHTTP(first, first.request)
		synctest.Wait()
		require.Equal(t, begun.Add(5*time.Second), first.deadline)

		go handler.ServeHTTP(second, second.request)
		synctest.Wait()
		require.Equal(t, begun.Add(time.Second), first.deadline, "one waits")
		require.Zero(t, second.deadline, "it has no slot yet")

		// As the connection would at the deadline. The handler has its minute.
		require.NoError(t, first.send.CloseWithError(io.ErrUnexpectedEOF))
		<-time.After(2 * time.Second)
		synctest.Wait()
		require.Equal(t, http.StatusServiceUnavailable, second.Code)

		// A body that has come is not hurried.
		third, fourth := newSlowly(t), newSlowly(t)
		<-time.After(58 * time.Second)
		synctest.Wait()
		go handler.ServeHTTP(third, third.request)
		synctest.Wait()
		require.NoError(t, third.send.Close())
		synctest.Wait()
		go handler.ServeHTTP(fourth, fourth.request)
		synctest.Wait()
		require.Zero(t, third.deadline, "the body's deadline is lifted at its end")
		require.Zero(t, gate.unhurried())
		<-time.After(time.Hour)
		synctest.Wait()
		queued, used := gate.state()
		require.Zero(t, queued+used)
	})
}

// A client that gives up while it waits leaves nothing behind.
func TestWaitingEndsWithTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate, handler := newTestGate()
		require.True(t, gate.enter(t.Context()))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun := time.Now()
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, "/", nil))
		require.Equal(t, time.Second, time.Since(begun))
		queued, used := gate.state()
		require.Zero(t, queued)
		require.Equal(t, 1, used)
	})
}

func TestTooManyConnectionsCostTheLongestSilent(t *testing.T) {
	t.Parallel()
	const most = 3
	type step struct {
		conn  int
		state http.ConnState
	}
	opened := func(conns ...int) (steps []step) {
		for _, conn := range conns {
			steps = append(steps, step{conn, http.StateNew})
		}
		return steps
	}
	tests := []struct {
		name string
		give []step
		want []int // those that are closed
	}{
		{"as many as may be", opened(0, 1, 2), nil},
		{"one more", opened(0, 1, 2, 3), []int{0}},
		{"two more", opened(0, 1, 2, 3, 4), []int{0, 1}},
		{"one that has a request stays", append(append(opened(0), step{0, http.StateActive}), opened(1, 2, 3)...), []int{1}},
		{
			"one between requests stays while another never had one",
			append(append(opened(0), step{0, http.StateActive}, step{0, http.StateIdle}), opened(1, 2, 3)...),
			[]int{1},
		},
		{
			"one between requests goes before the newest",
			append(append(opened(0, 1, 2), step{0, http.StateActive}, step{1, http.StateActive}, step{2, http.StateActive}, step{1, http.StateIdle}, step{0, http.StateIdle}), opened(3)...),
			[]int{1},
		},
		{
			"the newest, when all have a request",
			append(append(opened(0, 1, 2), step{0, http.StateActive}, step{1, http.StateActive}, step{2, http.StateActive}), opened(3)...),
			[]int{3},
		},
		{"a closed one counts no more", append(append(opened(0, 1, 2), step{1, http.StateClosed}), opened(3)...), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			connections := newConnections(most)
			conns := make([]*closing, 5)
			for i := range conns {
				conns[i] = new(closing)
			}
			for _, step := range tt.give {
				connections.track(conns[step.conn], step.state)
			}
			var closed []int
			for i, conn := range conns {
				if conn.closed {
					closed = append(closed, i)
				}
				connections.track(conn, http.StateClosed)
			}
			require.Equal(t, tt.want, closed)
			require.Empty(t, connections.open)
			require.Zero(t, connections.fresh.Len()+connections.idle.Len())
		})
	}
}

// closing is a connection that knows whether it was closed.
type closing struct {
	net.Conn
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}
