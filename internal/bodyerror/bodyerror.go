// Package bodyerror wraps the error of a caller's reader, so that the library does not mistake it
// for an error of the store.
package bodyerror

import (
	"context"
	"errors"
	"io/fs"
)

// An Error wraps the error of a caller's reader. It matches neither a Code nor an error of the
// standard library that has the meaning of a Code. For example, if a caller uploads the body of a
// download and that download fails with PreconditionFailed, the upload does not fail with
// PreconditionFailed.
type Error[Code error] struct{ err error }

// Of wraps err, which a caller's reader returned.
func Of[Code error](err error) Error[Code] { return Error[Code]{err} }

// Error returns the text of the reader's error.
func (e Error[Code]) Error() string { return e.err.Error() }

// As finds an error of the type of target in the reader's error, as [errors.As] does.
func (e Error[Code]) As(target any) bool { return errors.As(e.err, target) }

// Is reports whether the reader's error matches target. It returns false if target is a Code, or an
// error of the standard library that has the meaning of a Code.
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
