package sdkerror

import (
	"net/http"

	"github.com/omnibucket/storage"
)

// NotFound tells a missing object from a missing bucket if the response of e does
// not. It takes the error of a request for the bucket, which is nil if the bucket
// exists, and the hint for a missing bucket.
func NotFound(e, bucketErr *storage.Error, hint string) *storage.Error {
	e.Code = storage.ObjectNotFound
	switch {
	case bucketErr == nil:
	case bucketErr.Status == http.StatusNotFound:
		e.Code, e.Hint = storage.BucketNotFound, hint
	case bucketErr.Status == 0 || bucketErr.Retryable:
		return bucketErr // nothing is known
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
