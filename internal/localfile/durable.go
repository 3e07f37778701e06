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
	if err != nil {
		return ignoreUnreadable(err)
	}
	return syncAndClose(d)
}

// SyncDirIn is like [SyncDir], but path is relative to root. The path "." is root itself.
func SyncDirIn(root *os.Root, path string) error {
	d, err := root.Open(path)
	if err != nil {
		return ignoreUnreadable(err)
	}
	return syncAndClose(d)
}

// ignoreUnreadable returns nil if err says that the user may not read a directory, and otherwise err.
func ignoreUnreadable(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	return err
}

// syncAndClose syncs and closes a directory, if the system can sync it.
func syncAndClose(d *os.File) error {
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
