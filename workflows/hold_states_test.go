package workflows

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

var (
	allHoldStates = []holdState{holdPaused, holdFailing, holdReleasing, holdOver}
	allHoldInputs = []holdInput{inputPause, inputResume, inputFailing, inputProbeOK, inputProbeFailed, inputReleased, inputReleaseFailed}
)

func TestEveryHoldStateHasASuccessorForEveryInput(t *testing.T) {
	t.Parallel()
	require.Len(t, holdStates, len(allHoldStates))
	for _, state := range allHoldStates {
		require.Len(t, holdStates[state], len(allHoldInputs), state)
		for _, input := range allHoldInputs {
			require.Contains(t, holdStates[state], input)
		}
	}
}

// longestSequence is how many inputs TestHoldReleasesEverythingOnce goes through.
const longestSequence = 6

// world is a hold and the deliveries that it holds, as the workflow and Temporal run them.
type world struct {
	state holdState
	// probing and releasing are whether that activity is running.
	probing, releasing bool
	// arrived is how many deliveries there are. Those that say held are set in waiting; released
	// counts how often each was released.
	arrived  int
	waiting  uint
	released [longestSequence + 2]int
}

// enter begins the work of the state, as hold.enter does.
func (w *world) enter() {
	w.probing, w.releasing = w.state == holdFailing, w.state == holdReleasing
}

// arrive is a delivery that is attempted: it waits while the destination is held.
func (w *world) arrive() {
	if w.state == holdPaused || w.state == holdFailing {
		w.waiting |= 1 << w.arrived
	}
	w.arrived++
}

// release releases every delivery that waits, or the first of them alone when the worker is lost on
// the way.
func (w *world) release(lost bool) {
	for delivery := range w.arrived {
		if w.waiting>>delivery&1 == 0 {
			continue
		}
		w.waiting &^= 1 << delivery
		w.released[delivery]++
		if lost {
			return
		}
	}
}

// task is one workflow task with these inputs, those from outside first, as in hold.receive. A
// probe or a release does not end where none runs.
func (w *world) task(inputs []holdInput) (came []holdInput) {
	if w.state == holdOver {
		return nil
	}
	for _, input := range inputs {
		if input == inputPause || input == inputResume || input == inputFailing {
			came = append(came, input)
		}
	}
	for _, input := range inputs {
		switch {
		case w.probing && (input == inputProbeOK || input == inputProbeFailed):
			came, w.probing = append(came, input), false
		case w.releasing && (input == inputReleased || input == inputReleaseFailed):
			w.release(input == inputReleaseFailed)
			came, w.releasing = append(came, input), false
		}
	}
	next, begins := w.state.through(came)
	if w.state = next; begins {
		w.enter()
	}
	return came
}

// problem is what is wrong with a hold after these inputs, of which a set bit in cuts ends a
// workflow task. Deliveries arrive before each task.
func problem(initial holdState, inputs []holdInput, cuts int) string {
	w := &world{state: initial}
	w.enter()
	begin := 0
	for i := range inputs {
		if i < len(inputs)-1 && cuts>>i&1 == 0 {
			continue
		}
		w.arrive()
		came := w.task(inputs[begin : i+1])
		begin = i + 1
		paused := false
		for _, input := range came {
			switch input {
			case inputPause:
				paused = true
			case inputResume:
				paused = false
			default:
			}
		}
		if paused && w.state != holdPaused {
			return "a pause is lost"
		}
	}
	w.arrive()
	if w.state == holdOver && w.waiting != 0 {
		return "the hold is over, and deliveries wait"
	}
	w.task([]holdInput{inputResume})
	w.task([]holdInput{inputReleased})
	switch {
	case w.state != holdOver:
		return "it does not end after a resume"
	case w.waiting != 0:
		return "deliveries wait for ever"
	}
	for _, times := range w.released {
		if times > 1 {
			return "a delivery was released twice"
		}
	}
	return ""
}

// TestHoldReleasesEverythingOnce goes through every sequence of up to six inputs, divided among
// workflow tasks in every way. After a resume at the end, each delivery that waited has been
// released exactly once.
func TestHoldReleasesEverythingOnce(t *testing.T) {
	t.Parallel()
	for _, initial := range []holdState{holdPaused, holdFailing, holdReleasing} {
		t.Run(fmt.Sprint(initial), func(t *testing.T) {
			t.Parallel()
			sequence := make([]holdInput, 0, longestSequence)
			var extend func()
			extend = func() {
				for cuts := 0; len(sequence) > 0 && cuts < 1<<(len(sequence)-1); cuts++ {
					if wrong := problem(initial, sequence, cuts); wrong != "" {
						t.Fatalf("%s: %v in state %v, tasks cut by %b", wrong, sequence, initial, cuts)
					}
				}
				if len(sequence) == longestSequence {
					return
				}
				for _, input := range allHoldInputs {
					sequence = append(sequence, input)
					extend()
					sequence = sequence[:len(sequence)-1]
				}
			}
			extend()
		})
	}
}
