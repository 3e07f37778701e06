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
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok && isTempFile(pathErr.Path) {
		return &fs.PathError{Op: pathErr.Op, Path: path, Err: pathErr.Err}
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok && isTempFile(linkErr.Old) {
		return &fs.PathError{Op: linkErr.Op, Path: path, Err: linkErr.Err}
	}
	return err
}

func isTempFile(path string) bool { return IsTempName(filepath.Base(path)) }

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
