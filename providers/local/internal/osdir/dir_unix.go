//go:build linux || darwin || freebsd

package osdir

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/omnibucket/storage/internal/localfile"
)

const openDirFlags = os.O_RDONLY | syscall.O_DIRECTORY

// retryEINTR repeats a system call while it fails because a signal interrupted it.
func retryEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// metaOf converts the result of a stat call to a Meta.
func metaOf(st *unix.Stat_t) Meta {
	m := Meta{
		Ino:   uint64(st.Ino),
		Size:  st.Size,
		MTime: st.Mtim.Nano(),
		Sec:   int64(st.Mtim.Sec),
		Links: int(st.Nlink),
		Mode:  uint32(st.Mode) & 0o777,
		UID:   st.Uid,
	}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFREG:
		m.Kind = KindFile
	case unix.S_IFDIR:
		m.Kind = KindDir
	case unix.S_IFLNK:
		m.Kind = KindLink
	default:
		m.Kind = KindOther
	}
	return m
}

// A dirHandle is the descriptor of an open directory. If there is an os.File, the os.File owns the
// descriptor, and closing the os.File closes the descriptor.
type dirHandle struct {
	fd   int
	file *os.File
	id   [2]uint64 // device and inode of the root; zero for other directories
}

func idOf(st *unix.Stat_t) [2]uint64 { return [2]uint64{uint64(st.Dev), uint64(st.Ino)} }

// openHandle opens a directory inside root. top is the directory of root itself, if it is already open,
// and nil otherwise. If possible, the kernel resolves the path below top in one system call. Otherwise
// os.Root opens each component of the path.
func openHandle(root *os.Root, top *Dir, path string) (dirHandle, error) {
	if top != nil {
		fd, err := openBeneath(top.handle.fd, path, openDirFlags)
		if err == nil || IsNotExist(err) {
			return dirHandle{fd: fd}, err
		}
		// For example, an older kernel lacks the system call.
	}
	f, err := openDirFile(root, path)
	if err != nil {
		return dirHandle{}, err
	}

	h := dirHandle{fd: int(f.Fd()), file: f}
	if top == nil {
		// This may be the root, whose id IsAt compares. If Fstat fails, the id stays zero, and IsAt calls Fstat
		// again.
		var st unix.Stat_t
		if unix.Fstat(h.fd, &st) == nil {
			h.id = idOf(&st)
		}
	}
	return h, nil
}

// close closes the handle through its os.File, which owns the descriptor, if it has one.
func (h dirHandle) close() {
	if h.file != nil {
		_ = h.file.Close()
		return
	}
	_ = unix.Close(h.fd)
}

// fd returns the descriptor. It is valid while d is open.
func (d *Dir) fd() int { return d.handle.fd }

// Stat describes an entry. If the entry is a symbolic link, it describes the link itself.
func (d *Dir) Stat(base string) (Meta, error) {
	var st unix.Stat_t
	err := retryEINTR(func() error { return unix.Fstatat(d.fd(), base, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return Meta{}, err
	}
	return metaOf(&st), nil
}

// StatSelf returns the stat result of the directory d.
func (d *Dir) StatSelf() (Meta, error) { return metaOfOpen(d.fd()) }

// metaOfOpen describes an open file or directory.
func metaOfOpen(fd int) (Meta, error) {
	var st unix.Stat_t
	if err := retryEINTR(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return Meta{}, err
	}
	return metaOf(&st), nil
}

// IsAt reports whether path leads to d. It compares inodes, which is safe because no other directory
// can get the inode of d while d is open.
func (d *Dir) IsAt(path string) (bool, error) {
	var pathStat unix.Stat_t
	if err := retryEINTR(func() error { return unix.Stat(path, &pathStat) }); err != nil {
		return false, err
	}
	if idOf(&pathStat) == d.handle.id {
		return true, nil
	}
	// The handle may lack the id.
	var dirStat unix.Stat_t
	if err := retryEINTR(func() error { return unix.Fstat(d.fd(), &dirStat) }); err != nil {
		return false, err
	}
	return idOf(&dirStat) == idOf(&pathStat), nil
}

// Mkdir makes one directory.
func (d *Dir) Mkdir(base string) error {
	return retryEINTR(func() error { return unix.Mkdirat(d.fd(), base, 0o777) })
}

// Rmdir removes an empty directory, and never a file. Remove of os.Root would also remove a file
// that another program has just created with the same name.
func (d *Dir) Rmdir(base string) error {
	return retryEINTR(func() error { return unix.Unlinkat(d.fd(), base, unix.AT_REMOVEDIR) })
}

// Unlink removes a file or a symbolic link, but never a directory.
func (d *Dir) Unlink(base string) error {
	return retryEINTR(func() error { return unix.Unlinkat(d.fd(), base, 0) })
}

// Rename moves an entry. Its old name is fromBase in the directory src, and its new name is base
// in d. If a file has the new name, Rename replaces the file.
func (d *Dir) Rename(base string, src *Dir, fromBase string) error {
	return retryEINTR(func() error { return unix.Renameat(src.fd(), fromBase, d.fd(), base) })
}

// Link adds the name base in d to a file. The second and the third argument are the directory and
// the name that the file already has. If d already has an entry with the name base, Link fails.
func (d *Dir) Link(base string, src *Dir, fromBase string) error {
	return retryEINTR(func() error { return unix.Linkat(src.fd(), fromBase, d.fd(), base, 0) })
}

// Sync flushes the names in d to the disk, and does nothing if the file system cannot do that.
func (d *Dir) Sync() error {
	err := fsync(d.fd())
	if localfile.SyncUnsupported(err) {
		return nil
	}
	return err
}

// ShareRoot returns root itself. On these systems, an open directory can be removed and renamed.
func ShareRoot(root *os.Root) (*os.Root, error) { return root, nil }
