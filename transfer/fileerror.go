package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/omnibucket/storage"
)

// fileError says in the terms of package storage what went wrong with a file of
// this machine.
func fileError(op, key string, err error) error {
	e := &storage.Error{Code: storage.Internal, Op: op, Key: key, Err: quotePaths(err)}
	var own *storage.Error
	switch {
	case errors.As(err, &own):
		e.Code, e.Err = own.Code, own.Err
	case errors.Is(err, context.Canceled):
		e.Code = storage.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		e.Code = storage.DeadlineExceeded
	case errors.Is(err, errChanged):
		e.Code = storage.Changed
	case errors.Is(err, fs.ErrNotExist):
		e.Code = storage.ObjectNotFound
	case errors.Is(err, fs.ErrPermission):
		e.Code = storage.PermissionDenied
	case errors.Is(err, fs.ErrInvalid), errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EILSEQ), errors.Is(err, syscall.EINVAL):
		e.Code = storage.InvalidArgument // a name that this file system cannot hold
	}
	return e
}

// A quotedError is one that has a name in it, which may have in it what a terminal
// takes for a command.
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

// asStorageError is err as a *storage.Error: that of a bucket of the user's own may be
// anything.
func asStorageError(key string, err error) error {
	if own, ok := err.(*storage.Error); ok && own.Key != "" {
		return own
	} else if ok {
		keyed := *own
		keyed.Key = key
		return &keyed
	}
	own := &storage.Error{Code: storage.CodeOf(err), Key: key, Err: err}
	if own.Code == "" {
		own.Code = storage.Internal
	}
	return own
}

// ctxError is why a job was ended by its ctx.
func ctxError(err error) error {
	code := storage.Canceled
	if errors.Is(err, context.DeadlineExceeded) {
		code = storage.DeadlineExceeded
	}
	return &storage.Error{Code: code, Err: err}
}
