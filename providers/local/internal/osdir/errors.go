package osdir

import (
	"errors"
	"io/fs"
	"syscall"
)

// IsNotExist reports whether err means that a file does not exist. It also returns true if a parent
// directory is a file.
func IsNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || isNotDirectory(err)
}

// IsObstructed reports whether err is from a rename to the name of a directory. Some systems return
// another error if the directory has entries.
func IsObstructed(err error) bool {
	return errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, fs.ErrExist)
}

// LeadsOutside reports whether os.Root has refused to follow a symbolic link out of the
// root. Package os exports no such error.
func LeadsOutside(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && path.Err != nil && path.Err.Error() == "path escapes from parent"
}

// IsNoFile reports whether err means that the name has no file inside the root, or cannot have one.
func IsNoFile(err error) bool {
	return IsNotExist(err) || LeadsOutside(err) || errors.Is(err, syscall.ELOOP) || errors.Is(err, ErrNameTooLong) ||
		isInvalidName(err)
}
