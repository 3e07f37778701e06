package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxcode"
	"github.com/omnibucket/storage/internal/durable"
	"github.com/omnibucket/storage/internal/localfile"
)

// fileError returns an error of the file system as a *storage.Error, and nil for none.
func fileError(op, key string, err error) error {
	if err == nil {
		return nil
	}
	e := &storage.Error{Code: storage.Internal, Op: op, Key: key, Err: quotePaths(err), Hint: durable.Hint(err)}
	var own *storage.Error
	switch {
	case errors.As(err, &own):
		*e = *own
		e.Op, e.Key = op, key
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Code = ctxcode.Of(err)
	case errors.Is(err, localfile.ErrChanged):
		e.Code = storage.Changed
	case errors.Is(err, fs.ErrNotExist):
		e.Code = storage.ObjectNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Code = storage.PermissionDenied
	case errors.Is(err, fs.ErrInvalid),
		errors.Is(err, syscall.ENAMETOOLONG),
		errors.Is(err, syscall.EILSEQ),
		errors.Is(err, syscall.EINVAL),
		errors.Is(err, syscall.ENOTDIR):
		e.Code = storage.InvalidArgument // a name that this file system cannot hold, or that leads through a file
	}
	return e
}

// tempError is fileError for a temporary file. If its directory is missing, it does not report
// a missing object.
func tempError(op, key string, err error) error {
	failed := fileError(op, key, err)
	if e, ok := failed.(*storage.Error); ok && errors.Is(err, fs.ErrNotExist) {
		e.Code, e.Hint = storage.InvalidArgument, fmt.Sprintf(
			"create the directory %q, or name another one for temporary files by TMPDIR", os.TempDir(),
		)
	}
	return failed
}

// A quotedError quotes the name in an error, because a name may contain terminal
// control characters.
type quotedError struct {
	error
	text string
}

func (e quotedError) Error() string { return e.text }

func (e quotedError) Unwrap() error { return e.error }

func quotePaths(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return quotedError{e, fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err)}
	case *os.LinkError:
		return quotedError{e, fmt.Sprintf("%s %q %q: %v", e.Op, e.Old, e.New, e.Err)}
	}
	return err
}

// asStorageError returns err as a *storage.Error with a key. A bucket that is not of
// this library may return any error.
func asStorageError(key string, err error) error {
	if own, ok := err.(*storage.Error); ok && own.Key != "" {
		return own
	} else if ok {
		keyed := *own
		keyed.Key = key
		return &keyed
	}
	return &storage.Error{Code: storage.CodeOf(err), Key: key, Err: err}
}

// ctxError returns the error of a job whose ctx is done.
func ctxError(err error) error { return &storage.Error{Code: ctxcode.Of(err), Err: err} }

// named returns an error as one of the job op, if it names no other operation.
func named(op string, err error) error {
	own, ok := errors.AsType[*storage.Error](err)
	if !ok || own.Op != "" {
		return err
	}
	e := *own
	e.Op = op
	return &e
}
