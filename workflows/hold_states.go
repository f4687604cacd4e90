package workflows

// holdState is the state of a Hold.
type holdState int

const (
	// holdPaused is held by an operator.
	holdPaused holdState = iota
	// holdFailing is held because the destination fails; probes end it.
	holdFailing
	// holdReleasing lets attempts pass, and releases the deliveries that wait.
	holdReleasing
	// holdOver has released all of them. A hold ends in this state, unless an input arrived with
	// the last release.
	holdOver
)

// holdInput changes the state of a Hold.
type holdInput int

const (
	// inputPause and inputResume are an operator's.
	inputPause holdInput = iota
	inputResume
	// inputFailing is a worker's: the destination has failed for long.
	inputFailing
	// inputProbeOK is a probe that found the destination healthy; inputProbeFailed ended without
	// finding out, and another follows.
	inputProbeOK
	inputProbeFailed
	// inputReleased is a release after which no delivery says held any more; inputReleaseFailed
	// ended without finding out, and another follows.
	inputReleased
	inputReleaseFailed
)

// holdStates is every state's successor for every input. A probe or a release of a state that the
// hold has left has no effect.
var holdStates = map[holdState]map[holdInput]holdState{
	holdPaused: {
		inputPause: holdPaused, inputResume: holdReleasing, inputFailing: holdPaused,
		inputProbeOK: holdPaused, inputProbeFailed: holdPaused, inputReleased: holdPaused, inputReleaseFailed: holdPaused,
	},
	holdFailing: {
		inputPause: holdPaused, inputResume: holdReleasing, inputFailing: holdFailing,
		inputProbeOK: holdReleasing, inputProbeFailed: holdFailing, inputReleased: holdFailing, inputReleaseFailed: holdFailing,
	},
	holdReleasing: {
		inputPause: holdPaused, inputResume: holdReleasing, inputFailing: holdFailing,
		inputProbeOK: holdReleasing, inputProbeFailed: holdReleasing, inputReleased: holdOver, inputReleaseFailed: holdReleasing,
	},
	holdOver: {
		inputPause: holdPaused, inputResume: holdOver, inputFailing: holdFailing,
		inputProbeOK: holdOver, inputProbeFailed: holdOver, inputReleased: holdOver, inputReleaseFailed: holdOver,
	},
}

// after is the state that follows an input.
func (s holdState) after(input holdInput) holdState { return holdStates[s][input] }

// through is the state after inputs that came together, and whether the work of that state begins:
// it does in another state, and where a probe or a release has ended and another is due.
func (s holdState) through(inputs []holdInput) (next holdState, begins bool) {
	next = s
	for _, input := range inputs {
		next = next.after(input)
		switch input {
		case inputProbeOK, inputProbeFailed, inputReleased, inputReleaseFailed:
			begins = true
		default: // an input from outside begins nothing by itself
		}
	}
	return next, begins || next != s
}

// initialHoldState is the state in which a hold for that reason begins.
func initialHoldState(reason string) holdState {
	switch reason {
	case HoldFailing:
		return holdFailing
	case HoldReleasing:
		return holdReleasing
	default:
		return holdPaused
	}
}
