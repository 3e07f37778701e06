package local

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

const openDirFlags = os.O_RDONLY

// A dirHandle is an open directory. It was opened so that others may remove the directory
// meanwhile. os.Root opens everything that way except itself.
type dirHandle struct{ file *os.File }

// openHandle opens a directory, and fails if path is a file: Windows opens files, too, and
// later reports entries below one as a missing directory.
func openHandle(root *os.Root, _ *dir, path string) (dirHandle, error) {
	f, err := openDirFile(root, path)
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

// sharedRoot opens root again, so that others may remove or rename the directory. It
// closes root.
func sharedRoot(root *os.Root) (*os.Root, error) {
	defer func() { _ = root.Close() }()
	return root.OpenRoot(".")
}

func (h dirHandle) close() { _ = h.file.Close() }

func (h dirHandle) handle() windows.Handle { return windows.Handle(h.file.Fd()) }

// statSelf returns the meta of d.
func (d *dir) statSelf() (meta, error) {
	fi, err := d.handle.file.Stat()
	if err != nil {
		return meta{}, err
	}
	return metaOfInfo(fi, 0), nil
}

// isAt reports whether path leads to d. While d is open, no other directory has its number.
func (d *dir) isAt(path string) (bool, error) {
	there, err := os.Stat(path)
	if inUse(err) {
		return false, fs.ErrNotExist // it is about to be removed
	}
	if err != nil {
		return false, err
	}
	self, err := d.handle.file.Stat()
	return err == nil && os.SameFile(self, there), err
}

// stat returns the meta of an entry. It opens a file to get its identity, which entries
// of a directory do not have.
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

// rmdir removes an empty directory and never anything else. Remove of os.Root would also
// remove a file that another program has just put there. On NTFS, the name is free
// immediately, even while another program has the directory open.
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
		remove := byte(1) // on FAT and others, it is removed when it is no longer open
		err = windows.SetFileInformationByHandle(h, windows.FileDispositionInfo, &remove, 1)
	}
	return err
}

// errnoOf returns the system error of a status, which package errors can compare.
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

// exchange always fails: only Linux needs it.
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

// sync does nothing: Windows cannot flush a directory, and its file systems keep a journal
// of names.
func (d *dir) sync() error { return nil }

func (d *dir) read(each func(dirent) bool) error { return readEntries(d, each) }

// errIsDir is the error of an operation that met a directory. Windows has no code for it.
const errIsDir = syscall.EISDIR
