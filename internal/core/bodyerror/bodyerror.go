// Package bodyerror wraps the error of a caller's reader, so that the library does not mistake it
// for an error of the store.
package bodyerror

import (
	"context"
	"errors"
	"io/fs"
)

// An Error wraps the error of a caller's reader, and hides the Code of that error. For example, a
// caller may upload the body of a download. If the download fails with PreconditionFailed,
// errors.Is must not report that the upload failed with PreconditionFailed. An Error therefore
// matches no Code. It also matches no error that stands for a Code, such as fs.ErrExist.
type Error[Code error] struct{ err error }

// Of wraps err, which a caller's reader returned.
func Of[Code error](err error) Error[Code] { return Error[Code]{err} }

// Error returns the text of the reader's error.
func (e Error[Code]) Error() string { return e.err.Error() }

// As finds an error of the type of target in the reader's error, as [errors.As] does.
func (e Error[Code]) As(target any) bool { return errors.As(e.err, target) }

// Is reports whether the reader's error matches target. It is false if target is a Code, or an error
// of the standard library that stands for a Code, such as [fs.ErrExist]. A caller would take such a
// match for an error of the store.
func (e Error[Code]) Is(target error) bool {
	if _, isCode := target.(Code); isCode {
		return false
	}
	// An error of the store with a Code matches one of these errors, too.
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
