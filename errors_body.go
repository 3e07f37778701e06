package storage

import (
	"errors"
	"io/fs"
)

// A bodyError keeps the error of a caller's reader reachable, but does not match as an error of
// the upload. A failed download that is used as a body is not a failed condition.
type bodyError struct{ err error }

func (e bodyError) Error() string { return e.err.Error() }

func (e bodyError) As(target any) bool { return errors.As(e.err, target) }

func (e bodyError) Is(target error) bool {
	if _, isCode := target.(Code); isCode || target == fs.ErrExist {
		return false
	}
	for _, s := range sentinels {
		if target == s {
			return false
		}
	}
	return errors.Is(e.err, target)
}

func bodyFailed(err error) *Error {
	return &Error{Code: BodyFailed, Err: bodyError{err}}
}
