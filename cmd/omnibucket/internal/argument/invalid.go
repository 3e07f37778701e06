package argument

import (
	"errors"

	"github.com/omnibucket/storage"
)

// Invalid returns the error of an invalid argument.
func Invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule), Hint: hint}
}
