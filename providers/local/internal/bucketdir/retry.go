package bucketdir

import (
	"context"
	"errors"
	"strconv"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/local/internal/osdir"
)

// maxAttempts is the maximum number of times that a call starts over because another process has
// changed the same directory or object. Two writers need one or two attempts. If a call needs this
// many, more attempts would not help.
const maxAttempts = 100

// ErrRetry makes Retry begin another attempt. It means that another process has changed what the call
// uses, for example by removing an empty directory.
var ErrRetry = &storage.Error{Code: storage.Unavailable, Err: errors.New("another program changed the same directory")}

var errTooManyAttempts = &storage.Error{
	Code: storage.Unavailable,
	Err: errors.New("other programs changed the same directory " + strconv.Itoa(maxAttempts) +
		" times while this call used it"),
	Hint: "stop the program that keeps changing the bucket's directory",
}

// Retry calls f until it succeeds or fails for good. It calls f again in two cases. If f returns
// ErrRetry, Retry does so at once, up to maxAttempts times. If f fails because too many files are open,
// Retry waits before each call, for up to FileWait in total. It fails if ctx ends.
func Retry(ctx context.Context, f func() error) error {
	var files fileWaiter
	attempts := 0
	for attempts < maxAttempts {
		if err := ContextError(ctx); err != nil {
			return err
		}
		err := f()
		if err == ErrRetry {
			attempts++
			continue
		}
		if !isTooManyFiles(err) || !files.wait(ctx) {
			return err
		}
	}
	return errTooManyAttempts
}

// RetryFor calls f again as Retry does, and returns the result of the last call. A call of f that fails
// must leave nothing changed that the next call does not expect.
func RetryFor[T any](ctx context.Context, f func() (T, error)) (T, error) {
	var result T
	err := Retry(ctx, func() error {
		var err error
		result, err = f()
		return err
	})
	return result, err
}

// Retry calls f again, as the function Retry does, but only while the bucket's path leads to the open
// directory. Otherwise it fails with the error of CheckPath.
func (t *Tree) Retry(ctx context.Context, f func() error) error {
	return Retry(ctx, func() error {
		err := f()
		if err != ErrRetry {
			return err
		}
		if err := t.CheckPath(); err != nil {
			return err
		}
		return ErrRetry
	})
}

// RetryInTree calls f again as t.Retry does, and returns the result of the last call.
func RetryInTree[T any](ctx context.Context, t *Tree, f func() (T, error)) (T, error) {
	var result T
	err := t.Retry(ctx, func() error {
		var err error
		result, err = f()
		return err
	})
	return result, err
}

// RetryIfGone returns ErrRetry if err says that a directory has vanished, and WrapError(err) otherwise.
func RetryIfGone(err error) error {
	if osdir.IsNotExist(err) {
		return ErrRetry
	}
	return WrapError(err)
}

// errVanished is the error if another program has removed the temporary file of a write. The object
// is unchanged, and another attempt may succeed.
var errVanished = &storage.Error{
	Code: storage.Unavailable,
	Err:  errors.New("the temporary file of this write vanished before it was complete"),
	Hint: "exclude " + Reserved + " in the bucket's directory from programs that remove temporary files",
}

// StagedFileError translates err, the error of an operation on a staged file, to the error that the call
// returns. A staged file is the temporary file of a write.
func (t *Tree) StagedFileError(err error) error {
	if !osdir.IsNotExist(err) {
		return WrapError(err)
	}
	// Either the bucket or only the staged file has vanished.
	if err := t.CheckPath(); err != nil {
		return err
	}
	return errVanished
}
