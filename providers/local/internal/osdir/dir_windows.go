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

// A dirHandle is an open directory that others can remove while it is open. os.Root opens all
// directories that way, except the root itself.
type dirHandle struct{ file *os.File }

// openHandle opens a directory. If path is a file, it fails. Without that check, Windows would open
// the file, and report each entry below it as a missing directory.
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

// ShareRoot opens root again, in a way that lets others remove or rename the directory. It closes
// the old root.
func ShareRoot(root *os.Root) (*os.Root, error) {
	defer root.Close()
	return root.OpenRoot(".")
}

// close closes the file.
func (h dirHandle) close() { _ = h.file.Close() }

func (h dirHandle) handle() windows.Handle { return windows.Handle(h.file.Fd()) }

// StatSelf returns the stat result of the directory d.
func (d *Dir) StatSelf() (Meta, error) {
	fi, err := d.handle.file.Stat()
	if err != nil {
		return Meta{}, err
	}
	return metaOfInfo(fi, 0), nil
}

// IsAt reports whether path leads to d. It compares file numbers, because no other directory can
// have the number of d while d is open.
func (d *Dir) IsAt(path string) (bool, error) {
	info, err := os.Stat(path)
	if isInUse(err) {
		// The directory at path is about to be removed.
		return false, fs.ErrNotExist
	}
	if err != nil {
		return false, err
	}
	self, err := d.handle.file.Stat()
	return err == nil && os.SameFile(self, info), err
}

// Stat returns the stat result of an entry. If the entry is a regular file, Stat opens it, because
// only an open file reports its number. The number becomes Meta.Ino.
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
	defer f.Close()
	return f.Meta, nil
}

// metaOfInfo converts the result of a system call. ino is the number of the file, or 0 if it is not known.
func metaOfInfo(fi fs.FileInfo, ino uint64) Meta {
	return Meta{
		Ino:   ino,
		Size:  fi.Size(),
		MTime: fi.ModTime().UnixNano(),
		Sec:   fi.ModTime().Unix(),
		Kind:  kindOfMode(fi.Mode()),
	}
}

// Mkdir makes one directory.
func (d *Dir) Mkdir(base string) error { return d.root.Mkdir(d.PathOf(base), 0o777) }

// Rmdir removes an empty directory, and never a file. Remove of os.Root would also remove a file
// that another program has just created with the same name. On NTFS, the name can be used again
// immediately, even while another program has the directory open.
func (d *Dir) Rmdir(base string) error {
	name, err := windows.NewNTUnicodeString(base)
	if err != nil {
		return err
	}

	object := windows.OBJECT_ATTRIBUTES{RootDirectory: d.handle.handle(), ObjectName: name}
	object.Length = uint32(unsafe.Sizeof(object))

	const (
		access  = windows.DELETE | windows.FILE_READ_ATTRIBUTES | windows.SYNCHRONIZE
		sharing = windows.FILE_SHARE_READ | windows.FILE_SHARE_WRITE | windows.FILE_SHARE_DELETE
		options = windows.FILE_DIRECTORY_FILE | windows.FILE_OPEN_REPARSE_POINT | windows.FILE_OPEN_FOR_BACKUP_INTENT
	)
	var h windows.Handle
	var status windows.IO_STATUS_BLOCK
	err = windows.NtCreateFile(&h, access, &object, &status, nil, 0, sharing, windows.FILE_OPEN, options, 0, 0)
	if err != nil {
		return errnoOf(err)
	}
	defer func() { _ = windows.CloseHandle(h) }()

	flags := uint32(windows.FILE_DISPOSITION_DELETE | windows.FILE_DISPOSITION_POSIX_SEMANTICS)
	err = windows.SetFileInformationByHandle(h, windows.FileDispositionInfoEx, (*byte)(unsafe.Pointer(&flags)),
		uint32(unsafe.Sizeof(flags)))
	if errors.Is(err, windows.ERROR_INVALID_PARAMETER) || errors.Is(err, windows.ERROR_NOT_SUPPORTED) ||
		errors.Is(err, windows.ERROR_INVALID_FUNCTION) {
		// File systems such as FAT remove the directory only when nobody has it open.
		remove := byte(1)
		err = windows.SetFileInformationByHandle(h, windows.FileDispositionInfo, &remove, 1)
	}
	return err
}

// errnoOf converts a status of Windows to a system error, which package errors can compare.
func errnoOf(err error) error {
	if status, ok := err.(windows.NTStatus); ok {
		return status.Errno()
	}
	return err
}

// Unlink removes a file or a symbolic link, but never a directory.
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

// Exchange always fails. Callers then use Rename. Exchange exists for Linux, because only there it
// is faster than Rename.
func (d *Dir) Exchange(string, *Dir, string) error { return syscall.EWINDOWS }

// Rename gives an entry the name base in the directory d. The other parameters are the old
// directory and the old name. If a file has the new name, Rename replaces the file.
func (d *Dir) Rename(base string, src *Dir, fromBase string) error {
	err := d.root.Rename(src.PathOf(fromBase), d.PathOf(base))
	if err != nil {
		if fi, stat := d.root.Lstat(d.PathOf(base)); stat == nil && fi.IsDir() {
			return errIsDir
		}
	}
	return err
}

// Link adds a second name for a file. The first parameter is the new name in d. The other
// parameters are the directory and the old name of the file. If the new name exists, Link fails.
func (d *Dir) Link(base string, src *Dir, fromBase string) error {
	return d.root.Link(src.PathOf(fromBase), d.PathOf(base))
}

// Sync does nothing, because Windows cannot flush a directory. The file systems of Windows keep a
// journal of names.
func (d *Dir) Sync() error { return nil }

// Each calls the given function for every name in d, from the beginning. It stops when the function
// returns false.
func (d *Dir) Each(each func(Entry) bool) error { return readEntries(d, each) }

// errIsDir is the error if an operation needs a file, but finds a directory. Windows has no error
// code for this case.
const errIsDir = syscall.EISDIR
