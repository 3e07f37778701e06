package localfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// WithPath returns err with path, the final path of a file, in place of the name of its temporary
// file, which would not help the user. If err is not about a temporary file, WithPath returns err
// unchanged.
func WithPath(err error, path string) error {
	var op, name string
	var cause error
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		op = pathErr.Op
		name = pathErr.Path
		cause = pathErr.Err
	} else if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		op = linkErr.Op
		name = linkErr.Old
		cause = linkErr.Err
	}

	if !IsTempName(filepath.Base(name)) {
		// This includes an err without a name.
		return err
	}
	return &fs.PathError{Op: op, Path: path, Err: cause}
}

// ErrorHint returns a text that tells the user how to solve a file system error, such as a full
// disk, and "" for all other errors.
func ErrorHint(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return "free some space: the disk is full"
	}
	if errors.Is(err, syscall.EDQUOT) {
		return "raise the disk quota: it is used up"
	}
	return ""
}
