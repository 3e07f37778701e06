package sdkerror

import (
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
)

// PageHint is the hint for a response that came from another server than the store, such as a login
// page.
const PageHint = "the endpoint answers like a web page: check endpoint="

// ErrNoEvidence means that a response has a success status, but does not look like a response of
// the store. [Translator.Write] sets Unknown for such an error, because the write may have reached
// the store before something replaced its response.
var ErrNoEvidence = errors.New("the response is not that of")

// NoEvidence returns an error that wraps [ErrNoEvidence], and says why the response cannot be from
// the store.
func NoEvidence(store, why string) *storage.Error {
	return &storage.Error{
		Code:      storage.Unavailable,
		Retryable: true,
		Hint:      PageHint,
		Err:       fmt.Errorf("%w %s: %s", ErrNoEvidence, store, why),
	}
}

// WithCode returns a copy of err with the given code and hint, and all other fields as they are.
func WithCode(err error, code storage.Code, hint string) *storage.Error {
	e := storage.Error{Err: err}
	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		e = *storageErr
	}

	e.Code = code
	e.Hint = hint
	e.Retryable = IsRetryable(code)
	return &e
}
