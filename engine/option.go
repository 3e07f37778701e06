package engine

import (
	"github.com/omnibucket/storage"
)

// optionFailure returns the error of reading options as an *Error of its own, or nil.
func optionFailure(err error) *storage.Error {
	if err == nil {
		return nil
	}
	return ownError(err)
}
