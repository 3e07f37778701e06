package transport

import (
	"errors"
	"net"
)

// ErrStalled is in the error of an exchange whose server fell silent: no byte of a body moved
// for Options.Stall, or no answer began within Options.Answer.
var ErrStalled error = stalled{}

type stalled struct{}

func (stalled) Error() string   { return "the connection moved no byte for too long" }
func (stalled) Timeout() bool   { return true } // net.Error's: SDKs and net/url ask
func (stalled) Temporary() bool { return true }

// An Error is the error of an exchange that failed at the connection. A response with an error
// status is not an Error.
type Error struct {
	// Sent reports whether the whole request may have reached the server: its head and the last
	// byte of its body were written. A server that has seen less cannot have acted on it. If
	// Sent is set, the outcome of a write is unknown.
	Sent bool
	Err  error
}

// Error returns the text of Err.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err, such as ErrStalled, or an error of net/http or of the request body.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether the error is a stall or a deadline, as net.Error requires.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary reports whether the error is a stall, which a new connection may avoid.
func (e *Error) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.Err, &t) && t.Temporary()
}

// Sent reports whether err is, or wraps, a failed exchange whose whole request may have reached
// the server. An SDK that replaces the error of a canceled request, as the one for S3 does,
// hides this; Counter.Unanswered shows it then.
func Sent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Sent
}

// Stalled reports whether the cause of err is a silent server: errors.Is(err, ErrStalled).
func Stalled(err error) bool { return errors.Is(err, ErrStalled) }

// Unconnected reports whether the cause of err is a connection that could not be made.
func Unconnected(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial"
}
