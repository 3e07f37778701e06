// Package invalid makes the errors by which drivers refuse their arguments.
package invalid

import (
	"errors"

	"github.com/omnibucket/storage"
)

// Argument returns an error with code InvalidArgument: the name of an argument and the
// rule that it breaks. The hint says what to do instead; it may be "".
func Argument(argument, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(argument + " " + rule), Hint: hint}
}
