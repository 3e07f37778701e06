// Package storageerror converts errors of package storage and its drivers to S3 errors, and back. Its
// doors are [ToS3] and [FromS3].
package storageerror

import (
	"cmp"
	"errors"
	"io/fs"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// driverCodes maps error codes of drivers to error codes of S3.
var driverCodes = map[storage.Code]string{
	storage.ObjectNotFound:      "NoSuchKey",
	storage.BucketNotFound:      "NoSuchBucket",
	storage.BucketExists:        "BucketAlreadyExists",
	storage.BucketNotEmpty:      "BucketNotEmpty",
	storage.PreconditionFailed:  "PreconditionFailed",
	storage.Changed:             "ServiceUnavailable", // the source of a copy was replaced, so retry
	storage.NotModified:         "NotModified",
	storage.InvalidArgument:     "InvalidArgument",
	storage.RangeNotSatisfiable: "InvalidRange",
	storage.PermissionDenied:    "AccessDenied",
	storage.Unauthenticated:     "AccessDenied",
	storage.ChecksumMismatch:    "InternalError", // stored data is damaged; the server itself verifies clients' data
	storage.TooLarge:            "EntityTooLarge",
	storage.Archived:            "InvalidObjectState",
	storage.Locked:              "AccessDenied",
	storage.RateLimited:         "SlowDown",
	storage.Unavailable:         "ServiceUnavailable",
	storage.DeadlineExceeded:    "ServiceUnavailable",
	storage.Unsupported:         "NotImplemented",
}

// ToS3 converts an error of a driver to an S3 error about the bucket or key with this name. It returns
// nil and an S3 error unchanged.
func ToS3(err error, name string) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*s3error.Error](err); ok {
		return err
	}
	if storage.CodeOf(err) == storage.Locked {
		failure := state.Protected()
		failure.Err = err
		return failure
	}

	// The fields of the error depend on its code.
	code := codeOf(err)
	failure := s3error.New(code)
	failure.Err = err
	switch code {
	case "NoSuchBucket", "BucketNotEmpty", "BucketAlreadyExists":
		failure.Fields = []string{"BucketName", name}
	case "NoSuchKey":
		failure.Fields = []string{"Key", name}
	case "PreconditionFailed", "NotModified", "InvalidRange":
		// These have a fixed message.
	default:
		failure.Message = cmp.Or(driverMessage(err), failure.Message)
	}
	return failure
}

// codeOf returns the S3 code for an error of a driver.
func codeOf(err error) string {
	if errors.Is(err, fs.ErrClosed) {
		// DeleteBucket has closed the bucket meanwhile.
		return "NoSuchBucket"
	}

	code, isKnown := driverCodes[storage.CodeOf(err)]

	// If a change may have been applied, a code such as AccessDenied would tell the client that it was not.
	if errors.Is(err, storage.OutcomeUnknown) && code != "NoSuchBucket" {
		return "InternalError"
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return "XMinioStorageFull"
	}

	// If the operating system refuses access, no permission of the client would help.
	if _, isSystem := systemCause(err); isSystem && code == "AccessDenied" {
		return "AllAccessDisabled"
	}
	if !isKnown {
		return "InternalError"
	}
	return code
}

// Response returns the S3 error with which the server responds to err, which must not be nil.
func Response(err error) *s3error.Error {
	failure, _ := errors.AsType[*s3error.Error](ToS3(err, "")) // ToS3 always returns an S3 error
	return failure
}

// driverMessage returns the part of an error that clients may see: the message of the operating system,
// or that of the driver about the request. It returns "" for other errors, because the text of an SDK
// may have host names and ids of the store.
func driverMessage(err error) string {
	if cause, isSystem := systemCause(err); isSystem {
		return string(storage.CodeOf(err)) + ": " + cause
	}

	storageErr, ok := errors.AsType[*storage.Error](err)
	if !ok || storageErr.Status != 0 {
		return "" // an error with a status has the text of a service
	}
	if storageErr.Code != storage.InvalidArgument && storageErr.Code != storage.Unsupported {
		return ""
	}

	text := string(storageErr.Code)
	if storageErr.Err != nil {
		text += ": " + storageErr.Err.Error()
	}
	if storageErr.Hint != "" {
		text += " (" + storageErr.Hint + ")"
	}
	return text
}

// systemCause returns the operating system's message in err, without paths and addresses. It returns
// false if err does not come from the operating system.
func systemCause(err error) (cause string, ok bool) {
	if failure, ok := errors.AsType[*fs.PathError](err); ok {
		return failure.Err.Error(), true
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error(), true
	}
	return "", false
}
