package bucketdir

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// ContextError returns an error if ctx has ended: Canceled or DeadlineExceeded, with the cause.
func ContextError(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &storage.Error{Code: argument.ContextCode(err), Err: context.Cause(ctx)}
	}
	return nil
}

// failures maps errors of the operating system to codes and hints.
var failures = []struct {
	err  error
	code storage.Code
	hint string
}{
	// A full disk is Retryable, because it may have space again later.
	{osdir.ErrDiskFull, storage.Unavailable, "free some space: the disk is full"},
	{osdir.ErrQuota, storage.Unavailable, "raise the disk quota: it is used up"},
	{osdir.ErrReadOnly, storage.PermissionDenied, "mount the file system for writing: it is read-only"},
	// The code is RateLimited, so the engine makes more attempts and slows other calls down. Too many
	// connections to a cloud have the same code.
	{
		syscall.EMFILE, storage.RateLimited,
		"raise the limit of open files of the process (ulimit -n), or make fewer calls at once",
	},
	{syscall.ENFILE, storage.RateLimited, "raise the limit of open files of the system, or make fewer calls at once"},
	{
		osdir.ErrCrossDevice, storage.Unsupported,
		"unmount the file system inside the bucket's directory: objects cannot be moved onto it atomically",
	},
	{fs.ErrPermission, storage.PermissionDenied, "check the owner and mode of the bucket's directory"},
	{osdir.ErrBusy, storage.Unavailable, "close the file in the program that has it open"},
	{osdir.ErrNameTooLong, storage.InvalidArgument, "use a shorter key: the file system has a limit on names"},
	{fs.ErrClosed, storage.Internal, "open the bucket again: it was closed"},
}

// WrapError adds a code and a hint to an error of the operating system. It returns a *storage.Error as it
// is.
func WrapError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*storage.Error](err); ok {
		return err
	}
	if osdir.LeadsOutside(err) {
		return &storage.Error{
			Code: storage.PermissionDenied,
			Err:  err,
			Hint: "remove the symbolic link in the path that leads out of the bucket's directory",
		}
	}
	for _, failure := range failures {
		if errors.Is(err, failure.err) {
			return &storage.Error{Code: failure.code, Err: err, Hint: failure.hint}
		}
	}
	return &storage.Error{Code: storage.Internal, Err: err}
}

// UnknownOutcome returns the error for a write that is already visible, but may not survive a power
// failure because of err. It returns nil if err is nil.
func UnknownOutcome(err error) error {
	if err == nil {
		return nil
	}
	// WrapError always returns an error with a *storage.Error, which several calls may share.
	failure, _ := errors.AsType[*storage.Error](WrapError(err))
	unknown := *failure
	unknown.Unknown = true
	return &unknown
}

// IsExist reports whether err is the error for a file or directory that already exists.
func IsExist(err error) bool { return errors.Is(err, fs.ErrExist) }

// IgnoreNotExist returns nil if err says that there is no file, or that the name cannot belong to an
// object, and WrapError(err) otherwise.
func IgnoreNotExist(err error) error {
	if osdir.IsNoFile(err) {
		return nil
	}
	return WrapError(err)
}
