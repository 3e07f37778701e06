package sdkerror

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
)

// NotFound completes the error e of a response that does not tell whether the object or the bucket
// is missing. The parameter bucketErr is the result of a second request, which asks only for the
// bucket. [Translator.Read] must have translated bucketErr. If bucketErr has status 404, the bucket
// is missing, and e gets the hint. If the second request tells nothing about the bucket, NotFound
// returns bucketErr. Otherwise the object is missing.
func NotFound(e *storage.Error, bucketErr error, hint string) *storage.Error {
	e.Code = storage.ObjectNotFound
	own, ok := errors.AsType[*storage.Error](bucketErr)
	switch {
	case !ok:
	case own.Status == http.StatusNotFound:
		e.Code, e.Hint = storage.BucketNotFound, hint
	case own.Status == 0 || own.Retryable:
		return own // the second request did not tell whether the bucket exists
	}
	return e
}

// Missing returns an error with status 404 if the object does not exist. If the object may exist,
// Missing returns nil.
//
// Some stores check the revision in a condition before they check whether the object exists. If e
// says that the revision did not match, Missing calls head, which requests the object. If that
// request fails with a retryable error, Missing returns that error. It clears Unknown in that
// error, because neither request had an effect.
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
