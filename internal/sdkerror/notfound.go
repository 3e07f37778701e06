package sdkerror

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
)

// NotFound completes err, the error of a response with status 404. The response does not tell whether
// the object or the bucket is missing. The caller has therefore sent a second request, for the
// bucket only. bucketErr is the error of that request, as [Translator.Read] returned
// it. There are three cases:
//
//   - If bucketErr has status 404, NotFound returns err with the Code BucketNotFound and the hint.
//   - If bucketErr has no status or is retryable, NotFound returns bucketErr. Whether the bucket
//     exists is unknown.
//   - Otherwise, NotFound returns err with the Code ObjectNotFound.
func NotFound(err *storage.Error, bucketErr error, hint string) *storage.Error {
	err.Code = storage.ObjectNotFound
	storageErr, ok := errors.AsType[*storage.Error](bucketErr)
	if !ok {
		// The second request has found the bucket, so only the object is missing.
		return err
	}

	if storageErr.Status == http.StatusNotFound {
		err.Code = storage.BucketNotFound
		err.Hint = hint
		return err
	}
	if storageErr.Status == 0 || storageErr.Retryable {
		// The second request did not tell whether the bucket exists.
		return storageErr
	}
	return err
}

// Missing returns an error with status 404 if the object does not exist, and nil if it may exist.
//
// Some stores check the revision in a condition before they look whether the object exists. If err
// says that the revision did not match, Missing calls head, which requests the object. If head
// fails with a retryable error, Missing returns that with Unknown false, because the store has
// refused the caller's request and head changes nothing.
func (t *Translator) Missing(err *storage.Error, c storage.Condition, head func() error) *storage.Error {
	hasFailedRevision := err.Code == storage.PreconditionFailed && c.Revision != ""
	if !hasFailedRevision {
		return onlyNotFound(err)
	}

	headErr := head()
	if headErr == nil {
		// The object exists, with another revision.
		return nil
	}
	translated := t.Translate(headErr)
	if translated.Retryable {
		translated.Unknown = false
		return translated
	}
	return onlyNotFound(translated)
}

// onlyNotFound returns err if its status is 404, and otherwise nil.
func onlyNotFound(err *storage.Error) *storage.Error {
	if err.Status == http.StatusNotFound {
		return err
	}
	return nil
}

// FromListing corrects err, the error of a failed listing, in which ObjectNotFound means
// BucketNotFound, because a listing needs no object. hint is the hint for a missing bucket.
func FromListing(err *storage.Error, hint string) *storage.Error {
	if err.Code == storage.ObjectNotFound {
		err.Code = storage.BucketNotFound
	}
	if err.Code == storage.BucketNotFound && err.Hint == "" {
		err.Hint = hint
	}
	return err
}
