package e2e_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	soakTime  = flag.Duration("soak", 20*time.Second, "for how long the soak test disturbs Courier")
	soakSeed  = flag.Uint64("soak.seed", 1, "the seed of the soak test's disturbances")
	soakShare = flag.Float64("soak.share", 0.2, "the share of one core that the soak test leaves to Courier")
)

// A soak is a process that gets a fraction of a core, and is paused, resumed, killed and configured
// anew at random while events come in. At the end every acknowledged event was delivered, or given
// up after four real requests; nothing waits for a hold that is gone; and the receiver's log and
// the attempt logs agree one to one, except for requests that a kill cut off.

// soakReceiver answers by the path of a destination, and counts what it answered.
type soakReceiver struct {
	*httptest.Server

	mu       sync.Mutex
	random   *rand.Rand
	answered map[string][]int // statuses by path and event
	calm     bool
}

func newSoakReceiver(t *testing.T, random *rand.Rand) *soakReceiver {
	t.Helper()
	r := &soakReceiver{random: random, answered: make(map[string][]int)}
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	return r
}

func (r *soakReceiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	_, _ = io.Copy(io.Discard, request.Body)
	r.mu.Lock()
	defer r.mu.Unlock()
	status := http.StatusOK
	switch {
	case request.URL.Path == "/dead":
		status = http.StatusServiceUnavailable
	case request.URL.Path == "/flaky" && !r.calm && r.random.IntN(3) == 0:
		status = http.StatusBadGateway
	}
	key := request.URL.Path + " " + request.Header.Get("Webhook-Id")
	r.answered[key] = append(r.answered[key], status)
	w.WriteHeader(status)
}

func (r *soakReceiver) statuses(path, eventID string) []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answered[path+" "+eventID]
}

// soak is a soak under way.
type soak struct {
	t        *testing.T
	random   *rand.Rand
	receiver *soakReceiver
	data     string
	renamed  bool

	mu           sync.Mutex
	courier      *courier
	acknowledged map[string][]string // names of destinations by event
}

func (s *soak) configuration() string {
	// Each of the two names leads to the other's deliveries, so that none waits for a name in vain.
	flaky := destination("flaky", s.receiver.URL+"/flaky", retries(time.Second, 2*time.Second, 4*time.Second), "formerly: [steady]")
	if s.renamed {
		flaky = destination("steady", s.receiver.URL+"/flaky", retries(time.Second, 2*time.Second, 4*time.Second), "formerly: [flaky]", "concurrency: 8")
	}
	return configuration(
		destination("good", s.receiver.URL+"/good", retries(time.Second, 2*time.Second, 4*time.Second)),
		flaky,
		destination("dead", s.receiver.URL+"/dead", retries(time.Second, time.Second, time.Second)),
	)
}

// path is the receiver's path of a destination.
func (s *soak) path(destination string) string {
	if destination == "steady" {
		return "/flaky"
	}
	return "/" + destination
}

// present is the program that runs now, nil between a kill and the next start.
func (s *soak) present() *courier {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.courier
}

// restart starts the program, the one before having ended, and lets it have its share of a core.
func (s *soak) restart() {
	c := start(s.t, s.data, s.configuration())
	go throttle(c.program, *soakShare/float64(runtime.NumCPU()))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.courier = c
}

func (s *soak) kill() {
	c := s.present()
	s.mu.Lock()
	s.courier = nil
	s.mu.Unlock()
	_ = c.cmd.Process.Signal(syscall.SIGCONT)
	c.kill(s.t)
}

// throttle lets a process run for a share of the time.
func throttle(p *program, share float64) {
	const period = 100 * time.Millisecond
	running := time.Duration(share * float64(period))
	for {
		for _, step := range []struct {
			signal syscall.Signal
			wait   time.Duration
		}{{syscall.SIGSTOP, period - running}, {syscall.SIGCONT, running}} {
			_ = p.cmd.Process.Signal(step.signal) // it may have ended
			select {
			case <-p.ended:
				return
			case <-time.After(step.wait):
			}
		}
	}
}

// try sends a request to the program that runs now, if one does and answers.
func (s *soak) try(method, path, contentType string, body []byte) (status int, header http.Header, answer []byte) {
	c := s.present()
	if c == nil {
		return 0, nil, nil
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, string(c.starter)+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil
	}
	request.Header.Set("Content-Type", contentType)
	response, err := (&http.Client{Timeout: 30 * time.Second}).Do(request)
	if err != nil {
		return 0, nil, nil
	}
	defer response.Body.Close()
	answer, err = io.ReadAll(response.Body)
	if err != nil {
		return 0, nil, nil
	}
	return response.StatusCode, response.Header, answer
}

// send sends an event, and notes where it goes if it is acknowledged.
func (s *soak) send(id string) {
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	_ = writer.WriteField("event", event("site_view", id))
	_ = writer.WriteField("environment", "{}")
	_ = writer.Close()
	status, header, _ := s.try(http.MethodPost, "/v1", writer.FormDataContentType(), form.Bytes())
	if status != http.StatusOK {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, delivery := range bytes.Split([]byte(header.Get("Courier-Delivery")), []byte(", ")) {
		_, name, _ := bytes.Cut(delivery, []byte("@"))
		s.acknowledged[id] = append(s.acknowledged[id], string(name))
	}
}

// disturb does something that an operator or a bad day does.
func (s *soak) disturb() {
	names := []string{"good", "flaky", "steady", "dead"}
	name := names[s.random.IntN(len(names))]
	post := func(path string) { s.try(http.MethodPost, path, "application/json", nil) }
	switch n := s.random.IntN(20); {
	case n < 6:
		post("/api/destinations/" + name + "/pause")
	case n < 14:
		post("/api/destinations/" + name + "/resume")
	case n < 18:
		post(deliveryPath(name, fmt.Sprint("evt_", s.random.IntN(200))) + "/retry")
	case n < 19:
		s.kill()
		s.restart()
	default:
		s.kill()
		s.renamed = !s.renamed
		s.restart()
	}
}

func TestSoak(t *testing.T) {
	t.Parallel()
	t.Logf("seed %d", *soakSeed)
	random := rand.New(rand.NewPCG(*soakSeed, 0))
	s := &soak{t: t, random: random, data: t.TempDir(), acknowledged: make(map[string][]string)}
	s.receiver = newSoakReceiver(t, rand.New(rand.NewPCG(*soakSeed, 1)))
	s.restart()

	over := make(chan struct{})
	var senders sync.WaitGroup
	for sender := range 4 {
		senders.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-over:
					return
				case <-time.After(100 * time.Millisecond):
					s.send(fmt.Sprint("evt_", 4*n+sender))
				}
			}
		})
	}
	for end := time.Now().Add(*soakTime); time.Now().Before(end); {
		<-time.After(time.Duration(200+random.IntN(800)) * time.Millisecond)
		s.disturb()
	}
	close(over)
	senders.Wait()
	s.settle()
	s.check()
}

// settle ends the disturbances: the program gets its time, the destinations but one are healthy,
// and nothing is paused.
func (s *soak) settle() {
	s.kill()
	s.receiver.mu.Lock()
	s.receiver.calm = true
	s.receiver.mu.Unlock()
	s.courier = start(s.t, s.data, s.configuration())
	for _, name := range []string{"good", "flaky", "steady", "dead"} {
		s.try(http.MethodPost, "/api/destinations/"+name+"/resume", "application/json", nil)
	}
}

// check waits until all that was acknowledged is over, and holds the logs against each other.
func (s *soak) check() {
	t := s.t
	require.NotEmpty(t, s.acknowledged)
	deliveries, interrupted, undelivered := 0, 0, 0
	deadline := time.Now().Add(10 * time.Minute)
	for id, names := range s.acknowledged {
		for _, name := range names {
			d := s.awaitOver(name, id, deadline)
			deliveries++
			statuses := s.receiver.statuses(s.path(name), id)
			var logged []int
			cut := 0
			for _, run := range d.Runs {
				require.LessOrEqual(t, len(run.Attempts), 4, "%s to %s", id, name)
				for _, attempt := range run.Attempts {
					if attempt.Outcome == "interrupted" {
						cut++
						continue
					}
					require.NotZero(t, attempt.StatusCode, "%s to %s: %+v is no request that was made", id, name, attempt)
					logged = append(logged, attempt.StatusCode)
				}
			}
			interrupted += cut
			require.GreaterOrEqual(t, len(statuses), len(logged), "%s to %s: the log has %v, the receiver %v", id, name, logged, statuses)
			require.LessOrEqual(t, len(statuses), len(logged)+cut, "%s to %s: the log has %v and %d interrupted, the receiver %v", id, name, logged, cut, statuses)
			if d.Status == "delivered" {
				require.Contains(t, statuses, http.StatusOK, "%s to %s", id, name)
				continue
			}
			undelivered++
			require.Equal(t, "undelivered", d.Status, "%s to %s", id, name)
			require.Equal(t, 4, len(logged)+cut, "%s to %s is given up after four requests", id, name)
		}
	}
	status, _, held := s.try(http.MethodGet, "/api/deliveries?status=held", "", nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, string(held), `"deliveries":[]`)
	t.Logf("%d events acknowledged, %d deliveries: %d given up, %d requests interrupted by kills, none lost", len(s.acknowledged), deliveries, undelivered, interrupted)
	s.courier.stop(t)
}

func (s *soak) awaitOver(name, id string, deadline time.Time) delivery {
	s.t.Helper()
	for {
		status, _, answer := s.try(http.MethodGet, deliveryPath(name, id), "", nil)
		var d delivery
		if status == http.StatusOK && json.Unmarshal(answer, &d) == nil && d.ClosedAt != nil {
			return d
		}
		require.Less(s.t, time.Now(), deadline, "%s to %s is not over: %d %s", id, name, status, answer)
		<-time.After(200 * time.Millisecond)
	}
}
