package ingress_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/gitbook-courier/courier/deliveries"
)

// withDestinations is a configuration whose n destinations, with names of that many characters,
// take every page view.
func withDestinations(n, length int) string {
	var yaml strings.Builder
	yaml.WriteString("sources: [{name: docs, secrets: [" + sourceSecret + "]}]\nmax_body_bytes: 1048576\ndestinations:\n" +
		"  - {name: another, url: 'https://example.com/', secrets: [one], events: [page_feedback]}\n")
	for i := range n {
		fmt.Fprintf(&yaml, "  - {name: d%0*d, url: 'https://example.com/', secrets: [one]}\n", length-1, i)
	}
	return yaml.String()
}

func view(id string) string { return `{"eventId":"` + id + `","type":"site_view"}` }

func TestAcknowledgment(t *testing.T) {
	t.Parallel()
	const long = 63
	name := func(i, length int) string { return fmt.Sprintf("d%0*d", length-1, i) }
	list := func(id string, length, n int) string {
		ids := make([]string, n)
		for i := range ids {
			ids[i] = id + "@" + name(i, length)
		}
		return strings.Join(ids, ", ")
	}
	tests := []struct {
		name         string
		giveID       string
		giveNumber   int
		giveLength   int
		wantDelivery string // the header Courier-Delivery
		wantNumber   string // the header Courier-Deliveries
	}{
		{"none", "evt_1", 0, 4, "", ""},
		{"one", "evt_1", 1, 4, "evt_1@d000", ""},
		{"as many as fit", "evt_1", 170, 5, list("evt_1", 5, 157), "170"},
		{"just fit", "evt_1", 157, 5, list("evt_1", 5, 157), ""},
		{"120", "evt_2345678901bcdefg", 120, 20, list("evt_2345678901bcdefg", 20, 47), "120"},
		{"the longest ids", strings.Repeat("x", 255), 8, long, list(strings.Repeat("x", 255), long, 6), "8"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			handler, s := newHandler(t, withDestinations(tt.giveNumber, tt.giveLength))
			for _, duplicate := range []string{"", "true"} {
				for _, accept := range []string{"", "application/json"} {
					if duplicate == "" {
						clear(s.started)
					}
					r := relayRequest(t, view(tt.giveID))
					r.Header.Set("Accept", accept)
					w := httptest.NewRecorder()
					handler.ServeHTTP(w, r)
					require.Equal(t, http.StatusOK, w.Code, w.Body)
					require.Len(t, s.started, tt.giveNumber)
					require.Equal(t, tt.wantDelivery, w.Header().Get("Courier-Delivery"))
					require.LessOrEqual(t, len(w.Header().Get("Courier-Delivery")), 2048)
					require.Equal(t, tt.wantNumber, w.Header().Get("Courier-Deliveries"))
					if tt.giveNumber > 0 {
						require.Equal(t, duplicate, w.Header().Get("Courier-Duplicate"))
					}
					if accept == "" {
						require.Equal(t, "OK", w.Body.String())
						continue
					}
					all := make([]string, tt.giveNumber)
					for i := range all {
						all[i] = fmt.Sprintf(`{"destination":%q,"eventId":%q,"duplicate":%v}`, name(i, tt.giveLength), tt.giveID, duplicate != "")
					}
					require.JSONEq(t, `{"deliveries":[`+strings.Join(all, ",")+`]}`, w.Body.String())
				}
			}
		})
	}
}

func TestAnswerIsJSONOnRequest(t *testing.T) {
	t.Parallel()
	handler, _ := newHandler(t, withDestinations(1, 4))
	tests := []struct {
		give []string
		want bool
	}{
		{nil, false},
		{[]string{"*/*"}, false},
		{[]string{"application/*"}, false},
		{[]string{"text/plain"}, false},
		{[]string{"application/json;q=0"}, false},
		{[]string{"application/json"}, true},
		{[]string{"text/plain, Application/JSON; q=0.5"}, true},
		{[]string{"text/plain", "application/json;charset=utf-8"}, true},
		{[]string{";", "application/json"}, true},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.give, " and "), func(t *testing.T) {
			t.Parallel()
			r := relayRequest(t, view("evt_1"))
			r.Header["Accept"] = tt.give
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, r)
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, tt.want, w.Header().Get("Content-Type") == "application/json")
		})
	}
}

// slow is a store that takes its time, also for what it has.
type slow struct {
	*memory
	latency time.Duration
	// stored counts how often each delivery was new.
	stored map[string]int
}

func (s *slow) Start(ctx context.Context, n deliveries.NewDelivery) (bool, error) {
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(s.latency):
	}
	started, err := s.memory.Start(ctx, n)
	if started {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.stored[n.ID()]++
	}
	return started, err
}

// An event for 500 destinations is stored within the time that its sender waits, or refused; sent
// again it is completed, and nothing is stored twice.
func TestManyDestinations(t *testing.T) {
	t.Parallel()
	const number = 500
	tests := []struct {
		name        string
		giveLatency time.Duration
		wantStatus  int
		wantWithin  time.Duration
	}{
		{"a fast store", 10 * time.Millisecond, 200, 100 * time.Millisecond},
		{"a slow store", 600 * time.Millisecond, 200, 5 * time.Second},
		{"a store that is too slow", time.Second, 503, 5 * time.Second},
		{"a store that does not answer", time.Hour, 503, 5 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				store := &slow{latency: tt.giveLatency, stored: make(map[string]int)}
				store.memory = &memory{started: make(map[string]deliveries.NewDelivery)}
				routes := newRoutesBefore(t, withDestinations(number, 20), store)
				send := func() *httptest.ResponseRecorder {
					w := httptest.NewRecorder()
					begun := time.Now()
					routes.ServeHTTP(w, relayRequest(t, view("evt_1")))
					require.LessOrEqual(t, time.Since(begun), tt.wantWithin)
					return w
				}
				w := send()
				require.Equal(t, tt.wantStatus, w.Code)
				if tt.wantStatus == 503 {
					require.Equal(t, `{"error":"the event could not be stored; send it again"}`, w.Body.String())
					require.Equal(t, "5", w.Header().Get("Retry-After"))
					require.Empty(t, w.Header().Get("Courier-Delivery"))
				}
				store.latency = 10 * time.Millisecond
				w = send()
				require.Equal(t, http.StatusOK, w.Code)
				require.Equal(t, "500", w.Header().Get("Courier-Deliveries"))
				require.Len(t, store.stored, number)
				for id, times := range store.stored {
					require.Equal(t, 1, times, id)
				}
			})
		})
	}
}

// Ids that are too long for a workflow's id together with the destination are stored all the same,
// and are shown as they are.
func TestLongIDs(t *testing.T) {
	t.Parallel()
	for length := 250; length <= 255; length++ {
		id := strings.Repeat("x", length)
		handler, s := newHandler(t, withDestinations(1, 63))
		for _, duplicate := range []string{"", "true"} {
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, relayRequest(t, view(id)))
			require.Equal(t, http.StatusOK, w.Code)
			require.Equal(t, id+"@d"+strings.Repeat("0", 62), w.Header().Get("Courier-Delivery"))
			require.Equal(t, duplicate, w.Header().Get("Courier-Duplicate"))
		}
		require.Len(t, s.started, 1)
	}
}
