package sdkerror

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
)

// NotFound tells a missing object from a missing bucket if the response of e does
// not. It takes the error of a request for the bucket, as [Translator.Read] returns it, and
// the hint for a missing bucket.
func NotFound(e *storage.Error, bucketErr error, hint string) *storage.Error {
	e.Code = storage.ObjectNotFound
	own, ok := errors.AsType[*storage.Error](bucketErr)
	switch {
	case !ok:
	case own.Status == http.StatusNotFound:
		e.Code, e.Hint = storage.BucketNotFound, hint
	case own.Status == 0 || own.Retryable:
		return own // nothing is known
	}
	return e
}

// Missing returns the 404 for an object that does not exist, and nil if e is anything else. For a
// missing object a condition on its revision can fail first, so Missing then calls head, which
// requests the object. If that may succeed later, Missing returns its error: nothing is known, and
// no request has had an effect.
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

// FromListing changes the error of a failed listing: only the bucket can be
// missing. hint is the hint for a missing bucket.
func FromListing(e *storage.Error, hint string) *storage.Error {
	if e.Code == storage.ObjectNotFound {
		e.Code = storage.BucketNotFound
	}
	if e.Code == storage.BucketNotFound && e.Hint == "" {
		e.Hint = hint
	}
	return e
}
