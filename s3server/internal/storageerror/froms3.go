package storageerror

import (
	"errors"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// storageCodes maps error codes of S3 to error codes of package storage.
var storageCodes = map[string]storage.Code{
	"NoSuchKey":                  storage.ObjectNotFound,
	"NoSuchVersion":              storage.ObjectNotFound,
	"MethodNotAllowed":           storage.ObjectNotFound,
	"NoSuchBucket":               storage.BucketNotFound,
	"PreconditionFailed":         storage.PreconditionFailed,
	"EntityTooLarge":             storage.TooLarge,
	"InvalidObjectState":         storage.Archived,
	"AccessDenied":               storage.PermissionDenied,
	"AllAccessDisabled":          storage.PermissionDenied,
	"BadDigest":                  storage.ChecksumMismatch,
	"NotImplemented":             storage.Unsupported,
	"SlowDown":                   storage.RateLimited,
	"ServiceUnavailable":         storage.Unavailable,
	"ConditionalRequestConflict": storage.Unavailable, // the next attempt determines whether the condition holds
	"InternalError":              storage.Internal,
	"XMinioStorageFull":          storage.Internal,
}

// FromS3 converts an S3 error to a [storage.Error], and returns any other error unchanged.
func FromS3(err error) error {
	failure, ok := errors.AsType[*s3error.Error](err)
	if !ok {
		return err
	}

	// The status decides the code if the table has none.
	code, isKnown := storageCodes[failure.Code]
	if !isKnown && failure.Status >= http.StatusInternalServerError && failure.Code != "NotImplemented" {
		code = storage.Unavailable
	} else if !isKnown {
		code = storage.InvalidArgument
	}
	return &storage.Error{Code: code, Status: failure.Status, Err: failure}
}
