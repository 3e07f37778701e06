package local

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

const openDirFlags = os.O_RDONLY

// A dirHandle is an open directory.
type dirHandle struct{ file *os.File }

func openHandle(root *os.Root, _ *dir, path string) (dirHandle, error) {
	f, err := openFileOf(root, path)
	return dirHandle{f}, err
}

func (h dirHandle) close() { _ = h.file.Close() }

func (d *dir) own() (meta, bool, error) {
	fi, err := d.handle.file.Stat()
	if err != nil {
		return meta{}, false, err
	}
	return metaOfInfo(fi, 0), true, nil
}

// stat opens a file to know its identity: what a directory lists has none.
func (d *dir) stat(base string) (meta, error) {
	fi, err := d.root.Lstat(d.name(base))
	if err != nil {
		return meta{}, err
	}
	if !fi.Mode().IsRegular() {
		return metaOfInfo(fi, 0), nil
	}
	f, err := d.open(base)
	if err != nil {
		return meta{}, err
	}
	defer func() { _ = f.close() }()
	return f.meta, nil
}

func metaOfInfo(fi fs.FileInfo, ino uint64) meta {
	return meta{ino: ino, size: fi.Size(), mtime: fi.ModTime().UnixNano(), kind: kindOfMode(fi.Mode())}
}

func (d *dir) mkdir(base string) error { return d.root.Mkdir(d.name(base), 0o777) }

// rmdir removes an empty directory and never anything else, which os.Root's
// Remove would: between a look and the removal somebody may put a file there.
func (d *dir) rmdir(base string) error {
	path, err := syscall.UTF16PtrFromString(filepath.Join(d.root.Name(), filepath.FromSlash(d.name(base))))
	if err != nil {
		return err
	}
	return syscall.RemoveDirectory(path)
}

// unlink removes a file or link.
func (d *dir) unlink(base string) error {
	fi, err := d.root.Lstat(d.name(base))
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return errIsDir
	}
	return d.root.Remove(d.name(base))
}

// exchange is of use on Linux alone.
func (d *dir) exchange(string, *dir, string) error { return syscall.EWINDOWS }

func (d *dir) rename(base string, from *dir, fromBase string) error {
	err := d.root.Rename(from.name(fromBase), d.name(base))
	if err != nil {
		if fi, stat := d.root.Lstat(d.name(base)); stat == nil && fi.IsDir() {
			return errIsDir
		}
	}
	return err
}

func (d *dir) link(base string, from *dir, fromBase string) error {
	return d.root.Link(from.name(fromBase), d.name(base))
}

// sync does nothing: Windows has no way to flush a directory, and its file
// systems keep a journal of names.
func (d *dir) sync() error { return nil }

func (d *dir) read(each func(dirent) bool) error { return readEntries(d, each) }

// What Windows answers is told apart by a look; these are the words for it.
const (
	errIsDir = syscall.EISDIR
)
