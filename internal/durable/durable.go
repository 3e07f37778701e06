// Package durable makes names of files survive a power failure. A synced file can still
// lose its name, which is in the directory: the directory must be synced, too.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/omnibucket/storage/internal/hexid"
)

// TempPrefix begins the names of temporary files.
const TempPrefix = ".omnibucket-"

// TempName returns a name for a file that is renamed when it is complete. Jobs do not take such a
// file for an object.
func TempName() string { return TempPrefix + hexid.New(8) }

// IsTempName reports whether name is one of [TempName], or such a name with a hyphen and a number. Files with such
// names are not objects; only their content shows whose they are.
func IsTempName(name string) bool {
	digits, ok := strings.CutPrefix(name, TempPrefix)
	digits, number, numbered := strings.Cut(digits, "-")
	return ok && len(digits) == 16 && isHex(digits) && (!numbered || number != "" && len(number) <= 16 && isHex(number))
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

// OfFile returns an error of such a file as an error of the file at path that it becomes, because the
// temporary name would not help anybody. It returns other errors unchanged.
func OfFile(err error, path string) error {
	var op, name string
	var cause error
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		op, name, cause = failed.Op, failed.Path, failed.Err
	} else if failed, ok := errors.AsType[*os.LinkError](err); ok {
		op, name, cause = failed.Op, failed.Old, failed.Err
	}
	if !IsTempName(filepath.Base(name)) {
		return err
	}
	return &fs.PathError{Op: op, Path: path, Err: cause}
}

// Hint returns what to do about an error of the file system, or "" if the text of the error
// says that.
func Hint(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "free some space: the disk is full"
	case errors.Is(err, syscall.EDQUOT):
		return "raise the disk quota: it is used up"
	}
	return ""
}

// SyncDir writes the names in a directory to the disk. On Windows it does nothing: a
// directory cannot be flushed there, and NTFS keeps a journal of names. It also does
// nothing if the file system has no such call. If the directory may be written but not
// read, it cannot be opened to be synced, and SyncDir does nothing.
func SyncDir(path string) error {
	d, err := os.Open(path)
	return syncOpen(d, err)
}

// SyncDirIn does what [SyncDir] does, for a directory below root, or "." for root itself.
func SyncDirIn(root *os.Root, path string) error {
	d, err := root.Open(path)
	return syncOpen(d, err)
}

func syncOpen(d *os.File, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }() // nothing was written to it
	if runtime.GOOS == "windows" {
		return nil
	}
	if err := d.Sync(); err != nil && !Unsupported(err) {
		return err
	}
	return nil
}

// Unsupported reports whether err, from syncing a directory, means that the file system
// does not sync directories. Some network file systems return such an error.
func Unsupported(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// MkdirAll does what [os.MkdirAll] does, and then syncs the names of the directories
// that it made.
func MkdirAll(path string, mode fs.FileMode) error {
	path = filepath.Clean(path)
	var missing []string
	for dir := path; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}
	for _, dir := range missing {
		if err := SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}
