package argument

import (
	"errors"
	"io/fs"
	"regexp"
	"syscall"

	"github.com/omnibucket/storage"
)

// Invalid returns the error of an invalid argument.
func Invalid(rule, hint string) error {
	return &storage.Error{Code: storage.InvalidArgument, Err: errors.New(rule), Hint: hint}
}

// OfPath converts err, with which a path of this machine could not be opened, to an error of the library.
func OfPath(path string, err error) error {
	pathErr := &storage.Error{Code: storage.Internal, Key: path, Err: err}
	switch {
	case errors.Is(err, fs.ErrPermission):
		pathErr.Code = storage.PermissionDenied
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		pathErr.Code = storage.ObjectNotFound
		if IsBucketName(path) {
			pathErr.Hint = "write a bucket with its store, such as s3://" + path +
				", or give it a name with \"omnibucket config add\""
		}
	}
	return pathErr
}

var bucketForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]+$`)

// IsBucketName reports whether a path is probably the name of a bucket: it has no slash and no dot.
func IsBucketName(path string) bool { return bucketForm.MatchString(path) }
