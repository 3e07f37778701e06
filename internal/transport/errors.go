package transport

import (
	"errors"
	"net"
)

// ErrStalled says that a connection made no progress: no byte of a body moved for [Options.Stall],
// or no response began within [Options.Answer]. The error of the request wraps ErrStalled.
var ErrStalled error = stalled{}

type stalled struct{}

func (stalled) Error() string   { return "the connection moved no byte for too long" }
func (stalled) Timeout() bool   { return true } // SDKs and net/url look for this method of net.Error
func (stalled) Temporary() bool { return true }

// An Error is the error of a request whose connection failed. A response with an error status is
// not an Error.
type Error struct {
	// Sent is true if the complete request may have reached the server: its head and the last byte
	// of its body were written. It is then unknown whether a write took effect. If Sent is false,
	// the server cannot have acted on the request.
	Sent bool
	Err  error
}

// Error returns the text of Err.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err. Examples are ErrStalled, an error of net/http, and an error of the request
// body.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a stall or a deadline is the cause. net.Error requires this method.
func (e *Error) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary reports whether a stall is the cause, so that a new connection may help.
func (e *Error) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.Err, &t) && t.Temporary()
}

// Sent reports whether err wraps an [Error] whose complete request may have reached the server. If
// the context was canceled, some SDKs, such as the one for S3, replace that Error by their own. In
// that case only [Counter.Unanswered] shows that the request was sent.
func Sent(err error) bool {
	var failure *Error
	return errors.As(err, &failure) && failure.Sent
}

// Stalled reports whether err wraps [ErrStalled]. In this case, the connection made no progress.
func Stalled(err error) bool { return errors.Is(err, ErrStalled) }

// Unconnected reports whether err means that no connection could be made.
func Unconnected(err error) bool {
	opErr, ok := errors.AsType[*net.OpError](err)
	return ok && opErr.Op == "dial"
}
