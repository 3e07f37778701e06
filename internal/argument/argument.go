// Package argument makes the errors by which drivers and the engine refuse their arguments.
package argument

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// Invalid returns an error with code InvalidArgument: the name of an argument and the rule
// that it breaks. The hint says what to do instead; it may be "".
func Invalid(name, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(name + " " + rule), Hint: hint}
}

// NeedBucket returns Unsupported for a value that is not a bucket of package storage, and nil for one that is. The
// error names the operation and the key.
func NeedBucket(b any, op, key string) error {
	if serving.IsBucket(b) {
		return nil
	}
	return &storage.Error{
		Code: storage.Unsupported, Op: op, Key: key, Err: errors.New(scope.Foreign(op, b)), Hint: scope.ForeignHint,
	}
}
