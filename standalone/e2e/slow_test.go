package e2e_test

import (
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slow is a destination that takes a second for its answer: 200, or status.
type slow struct {
	*httptest.Server
	status        atomic.Int64
	came          chan struct{}
	answered, cut atomic.Int64
}

func newSlow(t *testing.T) *slow {
	t.Helper()
	s := &slow{came: make(chan struct{}, 16)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.came <- struct{}{}
		timer := time.NewTimer(time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
			s.answered.Add(1)
			w.WriteHeader(max(int(s.status.Load()), http.StatusOK))
		case <-r.Context().Done():
			s.cut.Add(1)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *slow) awaitRequest(t *testing.T) {
	t.Helper()
	select {
	case <-s.came:
	case <-time.After(patience):
		require.FailNow(t, "no request came")
	}
}
