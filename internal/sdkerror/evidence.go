package sdkerror

import (
	"errors"
	"fmt"

	"github.com/omnibucket/storage"
)

// PageHint is the hint for a response that is not the store's.
const PageHint = "the endpoint answers like a web page: check endpoint="

// ErrNoEvidence is wrapped by the error for a successful response that is not the store's.
// [Translator.Write] sets Unknown for it: a write may have reached the store before its
// response was replaced.
var ErrNoEvidence = errors.New("the response is not that of")

// NoEvidence returns the error for a success that is not that of a store, and says why.
func NoEvidence(store, why string) *storage.Error {
	return &storage.Error{
		Code: storage.Unavailable, Retryable: true, Hint: PageHint,
		Err: fmt.Errorf("%w %s: %s", ErrNoEvidence, store, why),
	}
}

// WithCode returns a copy of err with another code and hint, and with the details of its response.
func WithCode(err error, code storage.Code, hint string) *storage.Error {
	e := storage.Error{Err: err}
	if own, ok := errors.AsType[*storage.Error](err); ok {
		e = *own
	}
	e.Code, e.Hint, e.Retryable = code, hint, IsRetryable(code)
	return &e
}
