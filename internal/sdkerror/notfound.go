package sdkerror

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
)

// NotFound is for a response that does not tell whether the object or the bucket is missing.
// bucketErr is the result of a request for the bucket, which [Translator.Read] has translated. It
// shows which of them is missing. If the bucket is missing, the error has the given hint.
func NotFound(e *storage.Error, bucketErr error, hint string) *storage.Error {
	e.Code = storage.ObjectNotFound
	own, ok := errors.AsType[*storage.Error](bucketErr)
	switch {
	case !ok:
	case own.Status == http.StatusNotFound:
		e.Code, e.Hint = storage.BucketNotFound, hint
	case own.Status == 0 || own.Retryable:
		return own // the request for the bucket failed, so it told nothing about the bucket
	}
	return e
}

// Missing returns an error with status 404 if the object does not exist, and otherwise nil.
//
// Some stores check a condition on the revision before they check whether the object exists. If e
// says that such a condition failed, Missing calls head, which requests the object. If head fails
// with a retryable error, Missing clears Unknown in that error and returns it. None of the requests
// had an effect.
func (t *Translator) Missing(e *storage.Error, c storage.Condition, head func() error) *storage.Error {
	if e.Code == storage.PreconditionFailed && c.Revision != "" {
		err := head()
		if err == nil {
			return nil
		}
		if e = t.Translate(err); e.Retryable {
			e.Unknown = false
			return e
		}
	}
	if e.Status != http.StatusNotFound {
		return nil
	}
	return e
}

// FromListing corrects the error e of a failed listing. If e is ObjectNotFound, it becomes
// BucketNotFound, because a listing does not need an object. hint is the hint for a missing bucket.
func FromListing(e *storage.Error, hint string) *storage.Error {
	if e.Code == storage.ObjectNotFound {
		e.Code = storage.BucketNotFound
	}
	if e.Code == storage.BucketNotFound && e.Hint == "" {
		e.Hint = hint
	}
	return e
}
