package deliveries

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"

	"github.com/gitbook-courier/courier/internal/codec"
)

var (
	// ErrUnknown is a delivery that Temporal does not have: there never was one, or the namespace's
	// retention has removed it.
	ErrUnknown = errors.New("no such delivery: there never was one, or Temporal's retention has removed it")

	// ErrJobUnknown is a bulk redelivery that Temporal does not have.
	ErrJobUnknown = errors.New("no such redelivery: there never was one, or Temporal's retention has removed it")

	// ErrDestinationUnknown is a name that the configuration does not have, and that no delivery
	// which Temporal has goes to.
	ErrDestinationUnknown = errors.New("no such destination; it must be one of the configuration's destinations")

	// ErrCursor is a cursor that no list has given out.
	ErrCursor = errors.New("is not a cursor of this list")

	// ErrKeyMissing is a delivery that was encrypted with a key that is no longer in the
	// configuration.
	ErrKeyMissing = codec.ErrKeyMissing

	// ErrUnavailable is Temporal being out of reach, overloaded or too slow. The same call may
	// succeed later.
	ErrUnavailable = errors.New("cannot reach Temporal")
)

// StateError is an action that the present state of a delivery, a destination or a job does not
// permit. Reason names the call that helps.
type StateError struct{ Reason string }

func (e *StateError) Error() string { return e.Reason }

// FilterError is a filter that cannot match anything.
type FilterError struct {
	// Field is the filter's name in the API.
	Field string
}

func (e *FilterError) Error() string {
	return e.Field + " must be 1 to 255 visible ASCII characters or spaces"
}

// translate makes errors of Temporal that say nothing about a delivery into ErrUnavailable.
// Exported methods defer it, so that no caller has to know Temporal's errors.
func translate(err *error) {
	if unavailable(*err) {
		*err = fmt.Errorf("%w: %w", ErrUnavailable, *err)
	}
}

func unavailable(err error) bool {
	switch {
	case err == nil, errors.Is(err, ErrUnavailable):
		return false
	case errors.Is(err, context.DeadlineExceeded),
		is[*serviceerror.Unavailable](err),
		is[*serviceerror.DeadlineExceeded](err),
		is[*serviceerror.ResourceExhausted](err):
		return true
	default:
		return false
	}
}

// notFound is whether Temporal does not have a workflow.
func notFound(err error) bool { return is[*serviceerror.NotFound](err) }

// is reports whether an error is, or wraps, one of type E.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
