// Package argument makes the errors with which packages of this module refuse what they are given. It may be an argument
// that breaks a rule, a value that is not a bucket of package storage, or a context that ended. It may also be a document
// in a form that a later version has stored (see docs/maintainers/stored-forms.md).
//
// The package parses the sizes and durations of flags and of configuration files.
package argument

import (
	"errors"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/core/scope"
	"github.com/omnibucket/storage/internal/serving"
)

// Invalid returns an error with the code InvalidArgument. Its text is the name of an argument and the rule that the
// argument breaks. hint says what to do instead, or is "".
func Invalid(name, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(name + " " + rule), Hint: hint}
}

// InvalidFor is like [Invalid], and the error names the operation or function op, such as uploads.New.
func InvalidFor(op, name, rule, hint string) *storage.Error {
	err := Invalid(name, rule, hint)
	err.Op = op
	return err
}

// NeedBucket returns nil for a bucket of package storage, and Unsupported, with the operation and
// the key, for any other value.
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
