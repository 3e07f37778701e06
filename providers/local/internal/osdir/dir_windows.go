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

// openHandle opens a directory, and fails with ENOTDIR if path is a file. Windows itself would open
// the file and report everything below it as missing.
func openHandle(root *os.Root, _ *Dir, path string) (dirHandle, error) {
	f, err := openDirFile(root, path)
	if err != nil {
		return dirHandle{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.IsDir() {
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

// StatSelf describes the directory itself.
func (d *Dir) StatSelf() (Meta, error) {
	info, err := d.handle.file.Stat()
	if err != nil {
		return Meta{}, err
	}
	return metaOfInfo(info, 0), nil
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

// Stat describes an entry without following a link. It opens a regular file, because Windows tells
// the number of a file (Meta.Ino) only through a handle.
func (d *Dir) Stat(base string) (Meta, error) {
	info, err := d.root.Lstat(d.PathOf(base))
	if err != nil {
		return Meta{}, err
	}
	if !info.Mode().IsRegular() {
		return metaOfInfo(info, 0), nil
	}
	f, err := d.Open(base)
	if err != nil {
		return Meta{}, err
	}
	defer f.Close()
	return f.Meta, nil
}

// metaOfInfo converts an fs.FileInfo to a Meta. inode is the number of the file, or 0 if it is not
// known.
func metaOfInfo(info fs.FileInfo, inode uint64) Meta {
	return Meta{
		Ino:   inode,
		Size:  info.Size(),
		MTime: info.ModTime().UnixNano(),
		Sec:   info.ModTime().Unix(),
		Kind:  kindOfMode(info.Mode()),
	}
}

// Mkdir makes one directory.
func (d *Dir) Mkdir(base string) error { return d.root.Mkdir(d.PathOf(base), 0o777) }

// Rmdir removes an empty directory. Unlike Remove of os.Root, it never removes a file that another
// program has just created with the same name. On NTFS, the name is free at once, even if another
// program has the directory open.
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

	// With POSIX semantics, the name disappears at once.
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

// errnoOf converts an NTStatus to the syscall.Errno for which callers test with errors.Is.
func errnoOf(err error) error {
	if status, ok := err.(windows.NTStatus); ok {
		return status.Errno()
	}
	return err
}

// Unlink removes a file or a symbolic link, but never a directory.
func (d *Dir) Unlink(base string) error {
	info, err := d.root.Lstat(d.PathOf(base))
	if err != nil {
		return err
	}
	if info.IsDir() {
		return errIsDir
	}
	return d.root.Remove(d.PathOf(base))
}

// Exchange always fails. Callers then use Rename. Exchange exists for Linux, because only there it
// is faster than Rename.
func (d *Dir) Exchange(string, *Dir, string) error { return syscall.EWINDOWS }

// Rename moves the entry srcBase of src to the name base in d, and replaces a file with that name. If
// a directory has the name, it fails with errIsDir.
func (d *Dir) Rename(base string, src *Dir, srcBase string) error {
	err := d.root.Rename(src.PathOf(srcBase), d.PathOf(base))
	if err != nil {
		if info, statErr := d.root.Lstat(d.PathOf(base)); statErr == nil && info.IsDir() {
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

// errIsDir is the error if an operation needs a file, but finds a directory. Windows has no error
// code for this case.
const errIsDir = syscall.EISDIR
