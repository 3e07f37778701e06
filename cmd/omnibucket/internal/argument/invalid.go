package argument

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/omnibucket/storage"
)

// Invalid returns the error of an invalid argument.
func Invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule), Hint: hint}
}

// OfPath returns the error of a path of this machine that cannot be opened. Only a missing file is
// ObjectNotFound.
func OfPath(path string, err error) error {
	code := storage.Internal
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		code = storage.ObjectNotFound
	} else if errors.Is(err, fs.ErrPermission) {
		code = storage.PermissionDenied
	}
	return &storage.Error{Code: code, Key: path, Err: err}
}
