package localfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// SyncDir writes the names in a directory to the disk. If only a file is synced, its name can still be
// lost at a power failure, because its directory stores it. SyncDir does nothing on Windows, which cannot
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

// syncOpen syncs and closes the directory d. openErr is the error of opening it, and nil if d is open.
func syncOpen(d *os.File, openErr error) error {
	if errors.Is(openErr, fs.ErrPermission) {
		// The user may not read the directory, and so cannot sync it.
		return nil
	}
	if openErr != nil {
		return openErr
	}
	// An error of Close does not matter, because nothing was written.
	defer d.Close()

	if runtime.GOOS == "windows" {
		// Windows cannot sync a directory.
		return nil
	}
	if err := d.Sync(); err != nil && !SyncUnsupported(err) {
		return err
	}
	return nil
}

// SyncUnsupported reports whether err, from syncing a directory, means that the file system
// does not sync directories. Some network file systems return such an error.
func SyncUnsupported(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// MkdirAll is like [os.MkdirAll], and also syncs the names of the directories that it makes.
func MkdirAll(path string, mode fs.FileMode) error {
	path = filepath.Clean(path)
	missing := missingDirs(path)
	if err := os.MkdirAll(path, mode); err != nil {
		return err
	}

	// The name of a directory is stored in the directory above it.
	for _, dir := range missing {
		if err := SyncDir(filepath.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

// missingDirs returns path and the directories above it that do not exist, the deepest first.
func missingDirs(path string) (missing []string) {
	for dir := path; ; dir = filepath.Dir(dir) {
		_, err := os.Stat(dir)
		isTop := dir == filepath.Dir(dir)
		if err == nil || isTop {
			return missing
		}
		missing = append(missing, dir)
	}
}
