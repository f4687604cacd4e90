package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/gitbook"
)

// startReceiver starts one that is closed with the test.
func startReceiver(t *testing.T, a answer) *receiver {
	t.Helper()
	to, err := newReceiver(a)
	require.NoError(t, err)
	t.Cleanup(to.close)
	return to
}

// deliver posts a webhook as Courier does, with net/http.
func deliver(ctx context.Context, url, id string, body []byte) (status int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header.Set(gitbook.WebhookIDHeader, id)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

func TestReceiverKeepsWhatArrived(t *testing.T) {
	t.Parallel()
	to := startReceiver(t, func(path string, n int) (int, time.Duration) {
		if path == "/flaky" && n == 0 {
			return http.StatusServiceUnavailable, 0
		}
		return http.StatusOK, 0
	})
	for _, tt := range []struct {
		id, path string
		body     []byte
		want     int
	}{
		{"evt_1", "/flaky", nil, http.StatusServiceUnavailable},
		{"evt_1", "/flaky", []byte("{}"), http.StatusOK},
		{"evt_2", "/fast", bytes.Repeat([]byte("x"), bodyLimit), http.StatusOK},
	} {
		status, err := deliver(t.Context(), to.url+tt.path, tt.id, tt.body)
		require.NoError(t, err)
		require.Equal(t, tt.want, status)
	}
	require.Zero(t, to.await(t.Context(), []post{{id: "evt_1"}, {id: "evt_2"}}))
	requests := to.requests("evt_1")
	require.Len(t, requests, 2)
	require.Equal(t, http.StatusServiceUnavailable, requests[0].status)
	require.Equal(t, http.StatusOK, requests[1].status)
	require.False(t, requests[1].at.Before(requests[0].answered))
}

func TestReceiverTakesManyAtOnceAndWaits(t *testing.T) {
	t.Parallel()
	const wait = 50 * time.Millisecond
	to := startReceiver(t, func(path string, _ int) (int, time.Duration) {
		if path == "/slow" {
			return http.StatusOK, wait
		}
		return http.StatusOK, 0
	})
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			path, id := "/slow", small(anySpace).id
			if i%2 == 0 {
				path = "/fast"
			}
			status, err := deliver(t.Context(), to.url+path, id, []byte("{}"))
			if err != nil || status != http.StatusOK {
				t.Errorf("%s was answered %d, %v", path, status, err)
			}
			if a := to.requests(id); path == "/slow" && a[0].answered.Sub(a[0].at) < wait {
				t.Error("it was answered too early")
			}
		})
	}
	all.Wait()
}

func TestReceiverForgetsAClientThatGoes(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	to := startReceiver(t, func(string, int) (int, time.Duration) {
		asked <- struct{}{}
		return http.StatusOK, time.Hour
	})
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(to.url, "http://"))
	require.NoError(t, err)
	_, err = io.WriteString(conn, "POST /slow HTTP/1.1\r\nwebhook-id: evt_1\r\nContent-Length: 0\r\n\r\n")
	require.NoError(t, err)
	<-asked
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool {
		to.mu.Lock()
		defer to.mu.Unlock()
		return len(to.conns) == 0
	}, 10*time.Second, time.Millisecond)
	require.Zero(t, to.requests("evt_1")[0].status)
}

func TestReceiverClosesWhileSomeoneWaits(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 1)
	to := startReceiver(t, func(string, int) (int, time.Duration) {
		asked <- struct{}{}
		return http.StatusOK, time.Hour
	})
	answered := make(chan error, 1)
	go func() {
		_, err := deliver(t.Context(), to.url, "evt_1", nil)
		answered <- err
	}()
	<-asked
	to.close()
	require.Error(t, <-answered)
	require.Zero(t, to.requests("evt_1")[0].status)
}

func TestReceiverSaysWhatItDoesNotUnderstand(t *testing.T) {
	t.Parallel()
	to := startReceiver(t, always200)
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", strings.TrimPrefix(to.url, "http://"))
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	_, err = io.WriteString(conn, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	defer response.Body.Close()
	reason, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	require.Contains(t, string(reason), "chunked")
}
