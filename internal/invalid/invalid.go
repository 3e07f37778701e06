// Package invalid is how drivers refuse what they are given.
package invalid

import (
	"errors"

	"github.com/omnibucket/storage"
)

// Argument is InvalidArgument: an argument, the rule that it breaks, and what to
// do instead, or "".
func Argument(argument, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(argument + " " + rule), Hint: hint}
}
