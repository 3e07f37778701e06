package places

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/transfer/internal/joberror"
)

func errOverlap() *storage.Error {
	err := joberror.Invalid("source and destination", "must not overlap: what is stored in the one appears in the other")
	err.Hint = "use one address for the store, and two folders or buckets"
	return err
}

// placeError returns the error of a test whether two ends are one place: refusal if they are, an error
// that says so if the test failed with err, and otherwise nil.
func placeError(isSame bool, err error, refusal *storage.Error) error {
	if isSame && err == nil {
		return refusal
	}
	if isSame {
		return errors.Join(refusal, err)
	}
	return errUnknownPlaces(err) // nil if err is nil
}

// errUnknownPlaces returns the error of a job that cannot tell whether two ends are different places.
// err is the error of the test for that.
func errUnknownPlaces(err error) error {
	// OfFile also gives an error of the file system a code.
	failure, ok := joberror.OfFile("", "", err).(*storage.Error)
	if !ok || failure.Code == storage.Canceled || failure.Code == storage.DeadlineExceeded {
		return err
	}

	code := failure.Code
	hint := "repeat the job when each store of both ends answers, also the second one of a mirror"
	if code == storage.OutcomeUnknown {
		// Only the outcome of storing the test object is unknown, so that the job can be repeated.
		code = storage.Unavailable
	} else if cannotWrite(err) {
		hint = "let the job write at the top of one end: it stores a small file there, and looks for it in the other"
	}
	return &storage.Error{
		Code:      code,
		Retryable: failure.Retryable,
		Err:       fmt.Errorf("it is not known whether the ends are two places, and the job ends: %w", failure),
		Hint:      hint,
	}
}

// cannotWrite reports whether err means that a bucket or directory accepts no files, because it is
// read-only or full.
func cannotWrite(err error) bool {
	switch storage.CodeOf(err) {
	case storage.Unsupported, storage.PermissionDenied:
		return true
	}
	return slices.ContainsFunc(takesNoFiles, func(reason error) bool { return errors.Is(err, reason) })
}

var takesNoFiles = []error{fs.ErrPermission, syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT}
