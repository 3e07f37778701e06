package driverstore

import (
	"cmp"
	"errors"
	"io/fs"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// driverCodes maps the codes of drivers to S3's codes.
var driverCodes = map[storage.Code]string{
	storage.ObjectNotFound:      "NoSuchKey",
	storage.BucketNotFound:      "NoSuchBucket",
	storage.BucketExists:        "BucketAlreadyExists",
	storage.BucketNotEmpty:      "BucketNotEmpty",
	storage.PreconditionFailed:  "PreconditionFailed",
	storage.Changed:             "ServiceUnavailable", // for the source of a copy: another attempt finds the new one
	storage.NotModified:         "NotModified",
	storage.InvalidArgument:     "InvalidArgument",
	storage.RangeNotSatisfiable: "InvalidRange",
	storage.PermissionDenied:    "AccessDenied",
	storage.Unauthenticated:     "AccessDenied",
	storage.ChecksumMismatch:    "InternalError", // damage in the store: the server checks the client's sums itself
	storage.TooLarge:            "EntityTooLarge",
	storage.Archived:            "InvalidObjectState",
	storage.Locked:              "AccessDenied",
	storage.RateLimited:         "SlowDown",
	storage.Unavailable:         "ServiceUnavailable",
	storage.DeadlineExceeded:    "ServiceUnavailable",
	storage.Unsupported:         "NotImplemented",
}

// ErrorOf returns S3's error for an error of a driver. name is the name of the bucket, or the
// key.
func ErrorOf(err error, name string) error {
	if _, known := errors.AsType[*s3error.Error](err); known || err == nil {
		return err
	}
	code, found := driverCodes[storage.CodeOf(err)]
	_, ofSystem := systemCause(err)
	switch {
	case errors.Is(err, fs.ErrClosed): // DeleteBucket has closed the bucket meanwhile
		code = "NoSuchBucket"
	case errors.Is(err, storage.OutcomeUnknown) && code != "NoSuchBucket":
		code = "InternalError"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		code = "XMinioStorageFull"
	case ofSystem && code == "AccessDenied": // to this server, whatever the client's credentials may do
		code = "AllAccessDisabled"
	case !found:
		code = "InternalError"
	}
	e := s3error.New(code)
	switch code {
	case "NoSuchBucket", "BucketNotEmpty", "BucketAlreadyExists":
		e.Fields = []string{"BucketName", name}
	case "NoSuchKey":
		e.Fields = []string{"Key", name}
	case "PreconditionFailed", "NotModified", "InvalidRange":
	default:
		e.Message = cmp.Or(driverMessage(err), e.Message)
	}
	if storage.CodeOf(err) == storage.Locked {
		e = state.Protected()
	}
	e.Err = err
	return e
}

// driverMessage returns the message of the operating system, or of the driver itself about its request. It
// returns "" for other errors: the text of an SDK may have hosts and ids of the store, and is only for the
// log.
func driverMessage(err error) string {
	if cause, ofSystem := systemCause(err); ofSystem {
		return string(storage.CodeOf(err)) + ": " + cause
	}
	e, ok := errors.AsType[*storage.Error](err)
	if !ok || e.Status != 0 || e.Code != storage.InvalidArgument && e.Code != storage.Unsupported {
		return ""
	}
	text := string(e.Code)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		text += " (" + e.Hint + ")"
	}
	return text
}

// systemCause returns the operating system's message in err, without the paths and addresses
// that err has, too. ok is false if err does not come from the operating system.
func systemCause(err error) (cause string, ok bool) {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err.Error(), true
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e.Error(), true
	}
	return "", false
}
