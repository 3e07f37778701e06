package engine

import (
	"errors"

	"github.com/omnibucket/storage"
)

// chain returns a function that calls first, and then next unless it is nil.
func chain(first, next func(storage.Outcome)) func(storage.Outcome) {
	if next == nil {
		return first
	}
	return func(out storage.Outcome) {
		first(out)
		next(out)
	}
}

// refusal returns the error of an operation that a hook has refused.
func refusal(err error) *storage.Error {
	code := storage.PermissionDenied
	if errors.As(err, new(*storage.Error)) || errors.As(err, new(storage.Code)) {
		code = storage.CodeOf(err)
	}
	return &storage.Error{Code: code, Err: err}
}
