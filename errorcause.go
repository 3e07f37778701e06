package storage

import (
	"context"
	"errors"
	"io"
	"net"
	"syscall"
)

// asError returns an *Error of its own for any error of a driver, and decides
// whether the caller's ctx caused it.
func asError(ctx context.Context, err error) *Error {
	e := ownError(err)
	e.attributeToContext(ctx.Err())
	return e
}

// ownError returns an *Error of its own for any error.
func ownError(err error) *Error {
	e := &Error{}
	if own, ok := err.(*Error); ok {
		*e = *own
	} else if inner := (*Error)(nil); errors.As(err, &inner) {
		*e = *inner
		e.Err = err
	} else if bare, ok := err.(Code); ok {
		e.Code = bare
	} else {
		e.Code, e.Err = classify(err), err
	}
	if e.Code == Unavailable || e.Code == RateLimited {
		e.Retryable = true // by its nature
	}
	return e
}

// attributeToContext decides whether the caller's ctx caused the error; interrupted
// is what ctx ended with.
func (e *Error) attributeToContext(interrupted error) {
	switch e.Code {
	case Internal, Unavailable, RateLimited, Canceled, DeadlineExceeded:
	default:
		return // the store has responded
	}
	switch {
	case interrupted != nil:
		e.Code, e.Retryable = Canceled, false
		if errors.Is(interrupted, context.DeadlineExceeded) {
			e.Code = DeadlineExceeded
		}
		if e.Err == nil {
			e.Err = interrupted
		}
	case e.Code == Canceled || e.Code == DeadlineExceeded:
		e.Code, e.Retryable = Unavailable, true // a time limit of the transport, not of the caller
	}
}

// classify returns the code of an error that no driver has translated.
func classify(err error) Code {
	if code, found := findCode(err); found {
		return code
	}
	var network net.Error
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, context.DeadlineExceeded):
		return DeadlineExceeded
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EPIPE),
		errors.As(err, &network):
		return Unavailable
	}
	return Internal
}

// errPanicked is how an operation ends if it is interrupted by a panic, which the
// caller gets in place of the error.
func errPanicked(op string) *Error {
	return &Error{Code: Internal, Op: op, Err: errors.New("it panicked")}
}
