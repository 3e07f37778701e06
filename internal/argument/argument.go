// Package argument makes the errors by which drivers and the engine refuse their arguments.
package argument

import (
	"errors"

	"github.com/omnibucket/storage"
)

// Invalid returns an error with code InvalidArgument: the name of an argument and the rule
// that it breaks. The hint says what to do instead; it may be "".
func Invalid(name, rule, hint string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(name + " " + rule), Hint: hint}
}
