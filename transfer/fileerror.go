package transfer

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"github.com/omnibucket/storage"
)

// fileError says in the terms of package storage what went wrong with a file of
// this machine.
func fileError(op, key string, err error) error {
	e := &storage.Error{Code: storage.Internal, Op: op, Key: key, Err: err}
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

// ctxError is why a job was ended by its ctx.
func ctxError(err error) error {
	code := storage.Canceled
	if errors.Is(err, context.DeadlineExceeded) {
		code = storage.DeadlineExceeded
	}
	return &storage.Error{Code: code, Err: err}
}
