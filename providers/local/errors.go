package local

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/omnibucket/storage"
)

// interrupted is ctx's end as a Code; nil while it lasts.
func interrupted(ctx context.Context) error {
	switch err := ctx.Err(); {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return &storage.Error{Code: storage.DeadlineExceeded, Err: context.Cause(ctx)}
	default:
		return &storage.Error{Code: storage.Canceled, Err: context.Cause(ctx)}
	}
}

// failures tells what the operating system's words mean and what to do.
var failures = []struct {
	err  error
	code storage.Code
	hint string
}{
	// A full disk may have room again later, so the core may try again.
	{errDiskFull, storage.Unavailable, "the disk is full"},
	{errQuota, storage.Unavailable, "the disk quota is used up"},
	{errReadOnly, storage.PermissionDenied, "the file system is read-only"},
	{syscall.EMFILE, storage.Unavailable, "the process has too many open files: raise its limit (ulimit -n)"},
	{syscall.ENFILE, storage.Unavailable, "the system has too many open files"},
	{errCrossDevice, storage.Unsupported, "another file system is mounted inside the bucket's directory: objects cannot be moved onto it atomically"},
	{fs.ErrPermission, storage.PermissionDenied, "check the owner and mode of the bucket's directory"},
	{errBusy, storage.Unavailable, "close the file in the program that has it open"},
	{errNameTooLong, storage.InvalidArgument, "the file system cannot hold a name this long"},
	{fs.ErrClosed, storage.Internal, "the bucket was closed"},
}

// failure gives the operating system's error its Code.
func failure(err error) error {
	if err == nil {
		return nil
	}
	var known *storage.Error
	if errors.As(err, &known) {
		return err
	}
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return &storage.Error{Code: f.code, Err: err, Hint: f.hint}
		}
	}
	return &storage.Error{Code: storage.Internal, Err: err}
}

// uncertain is the failure of a write whose effect shows already, but may not
// outlast a power failure.
func unknownOutcome(err error) error {
	if err == nil {
		return nil
	}
	e := &storage.Error{Code: storage.Internal, Err: err}
	errors.As(failure(err), &e)
	marked := *e
	marked.Unknown = true
	return &marked
}

// isNotExist also means a directory on the way that is a file.
func isNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || isNotDirectory(err)
}

func isExist(err error) bool { return errors.Is(err, fs.ErrExist) }

// inTheWay is what a rename onto a directory meets; onto one with entries some
// systems say so by another word.
func isObstructed(err error) bool {
	return errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTEMPTY) || isExist(err)
}

// leadsOutside is os.Root's refusal to follow a symbolic link out of the bucket,
// for which package os has no name.
func leadsOutside(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Err != nil && path.Err.Error() == "path escapes from parent"
}

// noObject: nothing that this bucket can show is there.
func isNoObject(err error) bool {
	return isNotExist(err) || leadsOutside(err) || errors.Is(err, syscall.ELOOP) || errors.Is(err, errNameTooLong) || isInvalidName(err)
}
