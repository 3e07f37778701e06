package osdir

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
func openHandle(root *os.Root, _ *Dir, path string) (dirHandle, error) {
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

// ShareRoot opens root again, so that others may remove or rename the directory. It
// closes root.
func ShareRoot(root *os.Root) (*os.Root, error) {
	defer func() { _ = root.Close() }()
	return root.OpenRoot(".")
}

func (h dirHandle) close() { _ = h.file.Close() }

func (h dirHandle) handle() windows.Handle { return windows.Handle(h.file.Fd()) }

// StatSelf returns the meta of d.
func (d *Dir) StatSelf() (Meta, error) {
	fi, err := d.handle.file.Stat()
	if err != nil {
		return Meta{}, err
	}
	return metaOfInfo(fi, 0), nil
}

// IsAt reports whether path leads to d. While d is open, no other directory has its number.
func (d *Dir) IsAt(path string) (bool, error) {
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

// Stat returns the meta of an entry. It opens a file to get its identity, which entries
// of a directory do not have.
func (d *Dir) Stat(base string) (Meta, error) {
	fi, err := d.root.Lstat(d.PathOf(base))
	if err != nil {
		return Meta{}, err
	}
	if !fi.Mode().IsRegular() {
		return metaOfInfo(fi, 0), nil
	}
	f, err := d.Open(base)
	if err != nil {
		return Meta{}, err
	}
	defer func() { _ = f.Close() }()
	return f.Meta, nil
}

func metaOfInfo(fi fs.FileInfo, ino uint64) Meta {
	return Meta{
		Ino: ino, Size: fi.Size(), MTime: fi.ModTime().UnixNano(), Sec: fi.ModTime().Unix(),
		Kind: kindOfMode(fi.Mode()),
	}
}

// Mkdir makes one directory.
func (d *Dir) Mkdir(base string) error { return d.root.Mkdir(d.PathOf(base), 0o777) }

// Rmdir removes an empty directory and never anything else. Remove of os.Root would also
// remove a file that another program has just put there. On NTFS, the name is free
// immediately, even while another program has the directory open.
func (d *Dir) Rmdir(base string) error {
	name, err := windows.NewNTUnicodeString(base)
	if err != nil {
		return err
	}
	object := windows.OBJECT_ATTRIBUTES{RootDirectory: d.handle.handle(), ObjectName: name}
	object.Length = uint32(unsafe.Sizeof(object))
	var h windows.Handle
	err = windows.NtCreateFile(
		&h, windows.DELETE|windows.FILE_READ_ATTRIBUTES|windows.SYNCHRONIZE, &object, &windows.IO_STATUS_BLOCK{}, nil,
		0,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, windows.FILE_OPEN,
		windows.FILE_DIRECTORY_FILE|windows.FILE_OPEN_REPARSE_POINT|windows.FILE_OPEN_FOR_BACKUP_INTENT, 0, 0,
	)
	if err != nil {
		return errnoOf(err)
	}
	defer func() { _ = windows.CloseHandle(h) }()
	flags := uint32(windows.FILE_DISPOSITION_DELETE | windows.FILE_DISPOSITION_POSIX_SEMANTICS)
	err = windows.SetFileInformationByHandle(
		h, windows.FileDispositionInfoEx, (*byte)(unsafe.Pointer(&flags)), uint32(unsafe.Sizeof(flags)),
	)
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) ||
		errors.Is(err, windows.ERROR_INVALID_FUNCTION) {
		remove := byte(1) // on FAT and others, the directory is removed when it is no longer open
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

// Unlink removes a file or link.
func (d *Dir) Unlink(base string) error {
	fi, err := d.root.Lstat(d.PathOf(base))
	if err != nil {
		return err
	}
	if fi.IsDir() {
		return errIsDir
	}
	return d.root.Remove(d.PathOf(base))
}

// Exchange always fails: only Linux needs it.
func (d *Dir) Exchange(string, *Dir, string) error { return syscall.EWINDOWS }

// Rename moves from/fromBase to d/base, and replaces a file of that name.
func (d *Dir) Rename(base string, from *Dir, fromBase string) error {
	err := d.root.Rename(from.PathOf(fromBase), d.PathOf(base))
	if err != nil {
		if fi, stat := d.root.Lstat(d.PathOf(base)); stat == nil && fi.IsDir() {
			return errIsDir
		}
	}
	return err
}

// Link gives from/fromBase the additional name d/base, if that does not exist.
func (d *Dir) Link(base string, from *Dir, fromBase string) error {
	return d.root.Link(from.PathOf(fromBase), d.PathOf(base))
}

// Sync does nothing: Windows cannot flush a directory, and its file systems keep a journal
// of names.
func (d *Dir) Sync() error { return nil }

// Each calls each for the names in d, from the first one, until each returns false.
func (d *Dir) Each(each func(Entry) bool) error { return readEntries(d, each) }

// errIsDir is the error of an operation that met a directory. Windows has no code for it.
const errIsDir = syscall.EISDIR
