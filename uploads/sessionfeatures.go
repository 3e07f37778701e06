package uploads

import (
	"errors"
	"net/http"
	"strings"

	"github.com/omnibucket/storage"
)

// longestSegment is how many bytes a segment of a key may have without [storage.LongSegments].
const longestSegment = 255

// checkFeatures fails if the bucket cannot keep what a target asks for. The upload would otherwise
// fail after its last byte, for ever.
func (k *keeper) checkFeatures(t *Target) error {
	long := false
	for segment := range strings.SplitSeq(t.Key, "/") {
		long = long || len(segment) > longestSegment
	}
	for _, n := range []struct {
		asked   bool
		feature storage.Features
		option  string
		hint    string
	}{
		{!t.Overwrite, storage.ConditionalCreate, "Target.Overwrite false", "set Target.Overwrite, with keys that nobody else writes, or use a bucket with storage.ConditionalCreate"},
		{t.ContentType != "" || t.CacheControl != "" || t.ContentDisposition != "", storage.ContentProperties, "Target.ContentType, CacheControl or ContentDisposition", "leave them empty, or use a bucket with storage.ContentProperties"},
		{len(t.Metadata) > 0, storage.Metadata, "Target.Metadata", "leave it empty, or use a bucket with storage.Metadata"},
		{len(t.Tags) > 0, storage.ObjectTags, "Target.Tags", "leave it empty, or use a bucket with storage.ObjectTags"},
		{long, storage.LongSegments, "a segment of Target.Key above 255 bytes", "return a shorter Key, or use a bucket with storage.LongSegments"},
	} {
		if n.asked && !storage.Supports(k.bucket, n.feature) {
			return unsupported(&storage.Error{
				Code: storage.Unsupported, Op: "uploads", Key: t.Key, Hint: n.hint,
				Err: errors.New(n.option + " needs a feature that the bucket does not have"),
			})
		}
	}
	return nil
}

// unsupported is the error for an upload that the bucket can never store.
func unsupported(err error) *Error {
	return &Error{Code: Internal, Status: http.StatusNotImplemented, Message: "This file cannot be stored here.", Err: err}
}
