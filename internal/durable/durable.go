// Package durable makes names of files outlive a power failure. A file that was
// synced may still lose its name: that is in the directory, which has to be synced
// too.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
)

// SyncDir has the names in a directory on the disk. On Windows it does nothing:
// there is no way to flush a directory, and NTFS keeps a journal of names. It also
// does nothing if the file system has no such call, or if the directory may be
// written but not read, since only what can be opened can be synced.
func SyncDir(path string) error {
	d, err := os.Open(path)
	return syncOpen(d, err)
}

// SyncDirIn is SyncDir for a directory below root, "." for root itself.
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
	defer func() { _ = d.Close() }() // it was not written to
	if runtime.GOOS == "windows" {
		return nil
	}
	if err := d.Sync(); err != nil && !Unsupported(err) {
		return err
	}
	return nil
}

// Unsupported reports whether err, of a sync of a directory, means that the file
// system does not sync directories: some network file systems answer so.
func Unsupported(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported)
}

// MkdirAll is [os.MkdirAll], and has the names of the directories that it made on
// the disk.
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
