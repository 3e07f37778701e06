package transport

import (
	"errors"
	"net"
)

// ErrStalled is in the error of an exchange whose peer fell silent: no byte of
// a body moved for Options.Stall, or no answer began within Options.Answer.
var ErrStalled error = stalled{}

type stalled struct{}

func (stalled) Error() string   { return "the connection moved no byte for too long" }
func (stalled) Timeout() bool   { return true } // net.Error's: SDKs and net/url ask
func (stalled) Temporary() bool { return true }

// An Error is an exchange that failed at the connection, not an answer that
// says no.
type Error struct {
	// Sent tells that the whole request may have reached the server: its head was written,
	// and the last byte of its body too. A server that has seen less cannot have acted on
	// it. If Sent is set, the outcome of a write is unknown.
	Sent bool
	Err  error
}

// Error tells what broke.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap is net/http's own error, ErrStalled, or the request body's.
func (e *Error) Unwrap() error { return e.Err }

// Timeout is net.Error's: true of a stall and of a deadline.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary is net.Error's: true of a stall, which the next connection may not
// have.
func (e *Error) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.Err, &t) && t.Temporary()
}

// Sent reports whether err is, or wraps, a failed exchange whose whole request
// may have reached the server. An SDK that replaces the error of a canceled
// request (the one for S3 does) hides it: there Counter.Unanswered tells.
func Sent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Sent
}

// Stalled reports whether err came of a silent peer: errors.Is(err, ErrStalled).
func Stalled(err error) bool { return errors.Is(err, ErrStalled) }

// Unconnected reports whether err came of a connection that could not be made.
func Unconnected(err error) bool {
	failed, ok := errors.AsType[*net.OpError](err)
	return ok && failed.Op == "dial"
}
