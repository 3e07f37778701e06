// Package durable makes the names of files survive a power failure. The name of a file is stored in
// its directory. If only the file is synced, the name can still be lost, so the directory must be
// synced, too.
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

// TempPrefix is the beginning of the name of every temporary file.
const TempPrefix = ".omnibucket-"

// TempName returns a name for a file that is renamed when it is complete. Jobs do not treat such a file as an object.
func TempName() string { return TempPrefix + hexid.New(8) }

// IsTempName reports whether name is a result of [TempName], optionally followed by a hyphen and a
// number. Jobs do not treat files with such names as objects. Only the content of such a file shows
// which program made it.
func IsTempName(name string) bool {
	digits, ok := strings.CutPrefix(name, TempPrefix)
	digits, number, numbered := strings.Cut(digits, "-")
	return ok && len(digits) == 16 && isHex(digits) && (!numbered || number != "" && len(number) <= 16 && isHex(number))
}

func isHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

// OfFile returns err with path in place of the name of a temporary file, because that name would
// not help the user. path is the final path of the file. If err is not about a temporary file,
// OfFile returns err unchanged.
func OfFile(err error, path string) error {
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
		return err
	}
	return &fs.PathError{Op: op, Path: path, Err: cause}
}

// Hint returns a text that tells the user how to solve a file system error, such as a full disk. It
// returns "" for all other errors.
func Hint(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return "free some space: the disk is full"
	}
	if errors.Is(err, syscall.EDQUOT) {
		return "raise the disk quota: it is used up"
	}
	return ""
}

// SyncDir writes the names in a directory to the disk. It does nothing on Windows, which cannot
// sync a directory; NTFS keeps a journal of names. It also does nothing if the file system cannot
// sync a directory, or if the user may not read the directory and so cannot open it.
func SyncDir(path string) error {
	d, err := os.Open(path)
	return syncOpen(d, err)
}

// SyncDirIn is like [SyncDir], but path is relative to root. The path "." is root itself.
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
	defer d.Close() // an error of Close does not matter, because nothing was written
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

// MkdirAll is like [os.MkdirAll], and also syncs the names of the directories that it makes.
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
