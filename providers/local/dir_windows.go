package local

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const openDirFlags = os.O_RDONLY

// A dirHandle is an open directory. It was opened so that others may remove the
// directory meanwhile, as os.Root opens everything but itself.
type dirHandle struct{ file *os.File }

// openHandle looks whether it opened a directory: Windows opens a file, too,
// and later calls it a missing directory to whoever looks below it.
func openHandle(root *os.Root, _ *dir, path string) (dirHandle, error) {
	f, err := openFileOf(root, path)
	if err != nil {
		return dirHandle{}, err
	}
	fi, err := f.Stat()
	if err == nil && !fi.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		_ = f.Close()
		return dirHandle{}, err
	}
	return dirHandle{f}, nil
}

// sharedRoot is root opened again in a way that does not keep others from
// removing or renaming the directory. It closes root.
func sharedRoot(root *os.Root) (*os.Root, error) {
	defer func() { _ = root.Close() }()
	return root.OpenRoot(".")
}

func (h dirHandle) close() { _ = h.file.Close() }

func (h dirHandle) handle() windows.Handle { return windows.Handle(h.file.Fd()) }

// own looks for the directory's name, too: a handle does not tell that somebody
// removed its directory.
func (d *dir) statSelf() (meta, bool, error) {
	fi, err := d.handle.file.Stat()
	if err != nil {
		return meta{}, false, err
	}
	named, err := os.Stat(filepath.Join(d.root.Name(), filepath.FromSlash(d.path)))
	if err != nil && !isNotExist(err) && !inUse(err) { // in use: it is about to be removed
		return meta{}, false, err
	}
	return metaOfInfo(fi, 0), err == nil && os.SameFile(fi, named), nil
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
// The name is free at once where the file system can do that (NTFS), also while
// somebody has the directory open.
func (d *dir) rmdir(base string) error {
	name, err := windows.NewNTUnicodeString(base)
	if err != nil {
		return err
	}
	object := windows.OBJECT_ATTRIBUTES{RootDirectory: d.handle.handle(), ObjectName: name}
	object.Length = uint32(unsafe.Sizeof(object))
	var h windows.Handle
	err = windows.NtCreateFile(&h, windows.DELETE|windows.FILE_READ_ATTRIBUTES|windows.SYNCHRONIZE, &object, &windows.IO_STATUS_BLOCK{},
		nil, 0, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, windows.FILE_OPEN,
		windows.FILE_DIRECTORY_FILE|windows.FILE_OPEN_REPARSE_POINT|windows.FILE_OPEN_FOR_BACKUP_INTENT, 0, 0)
	if err != nil {
		return errnoOf(err)
	}
	defer func() { _ = windows.CloseHandle(h) }()
	flags := uint32(windows.FILE_DISPOSITION_DELETE | windows.FILE_DISPOSITION_POSIX_SEMANTICS)
	err = windows.SetFileInformationByHandle(h, windows.FileDispositionInfoEx, (*byte)(unsafe.Pointer(&flags)), uint32(unsafe.Sizeof(flags)))
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) || errors.Is(err, windows.ERROR_INVALID_FUNCTION) {
		remove := byte(1) // FAT, and other file systems without: removed when nobody has it open
		err = windows.SetFileInformationByHandle(h, windows.FileDispositionInfo, &remove, 1)
	}
	return err
}

// errnoOf is what the system says of a status, in the words that package errors
// compares.
func errnoOf(err error) error {
	if status, ok := err.(windows.NTStatus); ok {
		return status.Errno()
	}
	return err
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
