package e2e_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/internal/hooktest"
)

// delayed is a proxy in front of an address, through which everything takes longer, each way.
func delayed(t *testing.T, address string, delay time.Duration) (proxy string) {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			near, err := listener.Accept()
			if err != nil {
				return
			}
			far, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
			if err != nil {
				_ = near.Close()
				continue
			}
			go forward(near, far, delay)
			go forward(far, near, delay)
		}
	}()
	return listener.Addr().String()
}

// forward copies what arrives, so much later. It ends with either connection.
func forward(from, to net.Conn, delay time.Duration) {
	type piece struct {
		data []byte
		due  time.Time
	}
	pieces := make(chan piece, 1<<16)
	go func() {
		defer func() { _ = to.Close() }()
		for p := range pieces {
			<-time.After(time.Until(p.due))
			if _, err := to.Write(p.data); err != nil {
				return
			}
		}
	}()
	defer close(pieces)
	for {
		data := make([]byte, 32<<10)
		n, err := from.Read(data)
		if n > 0 {
			pieces <- piece{data[:n], time.Now().Add(delay)}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_ = to.Close()
			}
			return
		}
	}
}

// A Temporal that answers late makes deliveries late. It uses up none of their attempts, and none
// is given up unsent.
func TestSlowTemporalIsWaitedFor(t *testing.T) {
	t.Parallel()
	const count = 5
	healthy, failing := hooktest.New(t), hooktest.New(t, hooktest.Repeat(count, hooktest.Answer{Status: http.StatusServiceUnavailable})...)
	file := writeConfiguration(t, separateConfiguration(
		destination("healthy", healthy.URL, "rate_limit: 100"), // outside of the express lane
		destination("failing", failing.URL),
	))
	address := unusedAddress(t)
	startEngine(t, address)
	slow := []string{"TEMPORAL_ADDRESS=" + delayed(t, address, 600*time.Millisecond)}
	launch(t, "worker", slow, "--config", file)
	starter := listening(t, launch(t, "starter", []string{"TEMPORAL_ADDRESS=" + address}, "--config", file))
	starter.awaitReady(t)
	for i := range count {
		starter.accept(t, event("space_content_updated", fmt.Sprint("evt_", i)), noEnvironment)
	}
	for i := range count {
		shown := starter.awaitStatus(t, "healthy", fmt.Sprint("evt_", i), "delivered")
		require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
		shown = starter.awaitStatus(t, "failing", fmt.Sprint("evt_", i), "delivered")
		last := shown.Runs[0].Attempts[len(shown.Runs[0].Attempts)-1]
		require.Equal(t, "delivered", last.Outcome)
		for _, attempt := range shown.Runs[0].Attempts {
			require.NotZero(t, attempt.StatusCode, "every entry is a request that was answered: %v", shown.Runs[0].Attempts)
		}
	}
	require.Len(t, healthy.Requests(), count)
	require.Len(t, failing.Requests(), 2*count)
}

// Executions that wait for their turn make no request, so a crash enters none.
func TestKilledWhileDeliveriesWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	receiver := hooktest.New(t)
	data := t.TempDir()
	yaml := func(rate string) string {
		return configuration(destination("search-index", receiver.URL, "rate_limit: "+rate, "retries: []"))
	}
	courier := start(t, data, yaml("0.2"))
	const count = 6
	for i := range count {
		courier.accept(t, event("site_view", fmt.Sprint("evt_", i)), noEnvironment)
	}
	receiver.Next(t, t.Context())
	courier.kill(t)

	courier = start(t, data, yaml("1000"))
	sent := 0
	for i := range count {
		shown := courier.await(t, "search-index", fmt.Sprint("evt_", i), "over", func(d delivery) bool { return d.ClosedAt != nil })
		if shown.Status == "delivered" {
			sent++
			require.Equal(t, []tried{{1, 200, "delivered"}}, brief(shown.Runs[0].Attempts))
		}
	}
	require.GreaterOrEqual(t, sent, count-1, "the one whose request the crash cut may be undelivered")
	courier.stop(t)
}
