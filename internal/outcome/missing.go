package outcome

import (
	"net/http"

	"github.com/omnibucket/storage"
)

// Missing tells a missing object from a missing bucket, for an answer e that
// leaves it open. Looked is what a look at the bucket failed with; nil: it is
// there. Hint is for a bucket that is not.
func Missing(e, looked *storage.Error, hint string) *storage.Error {
	e.Code = storage.ObjectNotFound
	switch {
	case looked == nil:
	case looked.Status == http.StatusNotFound:
		e.Code, e.Hint = storage.BucketNotFound, hint
	case looked.Status == 0 || looked.Retryable:
		return looked // nothing is known
	}
	return e
}

// OfListing is what a failed listing means, which only a bucket can be missing
// to. Hint is for one that is not there.
func OfListing(e *storage.Error, hint string) *storage.Error {
	if e.Code == storage.ObjectNotFound {
		e.Code = storage.BucketNotFound
	}
	if e.Code == storage.BucketNotFound && e.Hint == "" {
		e.Hint = hint
	}
	return e
}
