// Package argument makes the errors with which drivers and the engine refuse invalid arguments.
package argument

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// Invalid returns an error with the code InvalidArgument. Its text is the name of an argument and the rule that the
// argument breaks. hint says what to do instead, or is "".
func Invalid(name, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(name + " " + rule), Hint: hint}
}

// NeedBucket returns Unsupported for a value that is not a bucket of package storage, and nil for a bucket. The error
// names the operation and the key.
func NeedBucket(b any, op, key string) error {
	if serving.IsBucket(b) {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported,
		Op:   op,
		Key:  key,
		Err:  errors.New(scope.Foreign(op, b)),
		Hint: scope.ForeignHint,
	}
}
