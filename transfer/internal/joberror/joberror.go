// Package joberror makes the errors of a job: each is a [*storage.Error]. OfFile makes one of an error of the
// file system.
package joberror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/internal/localfile"
)

// OfFile returns an error of the file system as a *storage.Error, or nil for nil.
func OfFile(op, key string, err error) error {
	if err == nil {
		return nil
	}

	if storageErr, ok := errors.AsType[*storage.Error](err); ok {
		withKey := *storageErr
		withKey.Op = op
		withKey.Key = key
		return &withKey
	}
	return &storage.Error{
		Code: fileCode(err),
		Op:   op,
		Key:  key,
		Err:  quotePaths(err),
		Hint: localfile.ErrorHint(err),
	}
}

// fileCode returns the code for an error of the file system or of a context.
func fileCode(err error) storage.Code {
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return argument.ContextCode(err)
	case errors.Is(err, localfile.ErrChanged):
		return storage.Changed
	case errors.Is(err, fs.ErrNotExist):
		return storage.ObjectNotFound
	case errors.Is(err, fs.ErrPermission):
		return storage.PermissionDenied
	}
	for _, badPath := range badPathErrors {
		if errors.Is(err, badPath) {
			return storage.InvalidArgument
		}
	}
	return storage.Internal
}

// badPathErrors are the errors of a file system that cannot store a name, or of a path that has a file
// where it needs a directory.
var badPathErrors = []error{fs.ErrInvalid, syscall.ENAMETOOLONG, syscall.EILSEQ, syscall.EINVAL, syscall.ENOTDIR}

// OfTempFile returns an error about a temporary file as a *storage.Error. Its Code is not
// ObjectNotFound if the directory of temporary files is missing, because no object is missing.
func OfTempFile(op, key string, err error) error {
	failure := OfFile(op, key, err)
	if !errors.Is(err, fs.ErrNotExist) {
		return failure
	}
	if storageErr, ok := failure.(*storage.Error); ok {
		storageErr.Code = storage.InvalidArgument
		storageErr.Hint = fmt.Sprintf("create the directory %q, or name another one for temporary files by TMPDIR", os.TempDir())
	}
	return failure
}

// A quotedError is an error whose text has names in quotes, because a name may contain control
// characters of a terminal.
type quotedError struct {
	error
	text string
}

func (e quotedError) Error() string { return e.text }

func (e quotedError) Unwrap() error { return e.error }

// quotePaths puts the paths in an error of the file system in quotes.
func quotePaths(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return quotedError{e, fmt.Sprintf("%s %q: %v", e.Op, e.Path, e.Err)}
	case *os.LinkError:
		return quotedError{e, fmt.Sprintf("%s %q %q: %v", e.Op, e.Old, e.New, e.Err)}
	}
	return err
}

// OfContext returns the error of a job whose ctx is done.
func OfContext(err error) error { return &storage.Error{Code: argument.ContextCode(err), Err: err} }

func Invalid(argument, rule string) *storage.Error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(argument + " " + rule)}
}
