// Package bodyerror hides the meaning that the error of a caller's reader would have to the
// library.
package bodyerror

import (
	"context"
	"errors"
	"io/fs"
)

// An Error keeps the error of a caller's reader reachable, but does not match as an error of the upload. It matches no
// Code, and no error of the standard library that means the same as one. A failed download that is used as a body is
// not a failed condition.
type Error[Code error] struct{ err error }

// Of returns the Error for err.
func Of[Code error](err error) Error[Code] { return Error[Code]{err} }

// Error returns the text of the reader's error.
func (e Error[Code]) Error() string { return e.err.Error() }

// As finds the reader's error.
func (e Error[Code]) As(target any) bool { return errors.As(e.err, target) }

// Is matches whatever the reader's error matches, except a Code and errors with the same
// meaning.
func (e Error[Code]) Is(target error) bool {
	if _, isCode := target.(Code); isCode {
		return false
	}
	switch target {
	case fs.ErrNotExist,
		fs.ErrExist,
		fs.ErrInvalid,
		fs.ErrPermission,
		errors.ErrUnsupported,
		context.Canceled,
		context.DeadlineExceeded:
		return false
	}
	return errors.Is(e.err, target)
}
