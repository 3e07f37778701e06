//go:build linux || darwin || freebsd

package local

import (
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/omnibucket/storage/internal/durable"
)

const openDirFlags = os.O_RDONLY | syscall.O_DIRECTORY

// retryEINTR repeats a system call that a signal interrupted.
func retryEINTR(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func metaOf(st *unix.Stat_t) meta {
	m := meta{ino: uint64(st.Ino), size: st.Size, mtime: st.Mtim.Nano(), links: int(st.Nlink), mode: uint32(st.Mode) & 0o777, uid: st.Uid}
	switch uint32(st.Mode) & unix.S_IFMT {
	case unix.S_IFREG:
		m.kind = kindFile
	case unix.S_IFDIR:
		m.kind = kindDir
	case unix.S_IFLNK:
		m.kind = kindLink
	default:
		m.kind = kindOther
	}
	return m
}

// A dirHandle is a descriptor, and the os.File that owns it, if there is one.
type dirHandle struct {
	fd   int
	file *os.File
}

// openHandle opens a directory. The kernel resolves the path in one step, if it can do so
// without leaving top. Otherwise os.Root does, with a step for each component.
func openHandle(root *os.Root, top *dir, path string) (dirHandle, error) {
	if top != nil {
		fd, err := openBeneath(top.handle.fd, path)
		if err == nil || isNotExist(err) {
			return dirHandle{fd: fd}, err
		}
	}
	f, err := openDirFile(root, path)
	if err != nil {
		return dirHandle{}, err
	}
	return dirHandle{fd: int(f.Fd()), file: f}, nil
}

func (h dirHandle) close() {
	if h.file != nil {
		_ = h.file.Close()
		return
	}
	_ = unix.Close(h.fd)
}

// fd returns the descriptor. It is valid while d is open.
func (d *dir) fd() int { return d.handle.fd }

func (d *dir) stat(base string) (meta, error) {
	var st unix.Stat_t
	err := retryEINTR(func() error { return unix.Fstatat(d.fd(), base, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return meta{}, err
	}
	return metaOf(&st), nil
}

// statSelf returns the meta of d.
func (d *dir) statSelf() (meta, error) {
	var st unix.Stat_t
	if err := retryEINTR(func() error { return unix.Fstat(d.fd(), &st) }); err != nil {
		return meta{}, err
	}
	return metaOf(&st), nil
}

// isAt reports whether path leads to d. While d is open, no other directory has its inode.
func (d *dir) isAt(path string) (bool, error) {
	var self, there unix.Stat_t
	if err := retryEINTR(func() error { return unix.Stat(path, &there) }); err != nil {
		return false, err
	}
	if err := retryEINTR(func() error { return unix.Fstat(d.fd(), &self) }); err != nil {
		return false, err
	}
	return self.Dev == there.Dev && self.Ino == there.Ino, nil
}

func (d *dir) mkdir(base string) error {
	return retryEINTR(func() error { return unix.Mkdirat(d.fd(), base, 0o777) })
}

// rmdir removes an empty directory and never anything else. Remove of os.Root would also
// remove a file that another program has just put there.
func (d *dir) rmdir(base string) error {
	return retryEINTR(func() error { return unix.Unlinkat(d.fd(), base, unix.AT_REMOVEDIR) })
}

// unlink removes a file or link, but never a directory.
func (d *dir) unlink(base string) error {
	return retryEINTR(func() error { return unix.Unlinkat(d.fd(), base, 0) })
}

// rename moves from/fromBase to d/base, and replaces what has that name.
func (d *dir) rename(base string, from *dir, fromBase string) error {
	return retryEINTR(func() error { return unix.Renameat(from.fd(), fromBase, d.fd(), base) })
}

// link gives from/fromBase the additional name d/base, if that does not exist.
func (d *dir) link(base string, from *dir, fromBase string) error {
	return retryEINTR(func() error { return unix.Linkat(from.fd(), fromBase, d.fd(), base, 0) })
}

// sync flushes the entries of d to the disk, if the file system can.
func (d *dir) sync() error {
	if err := fsync(d.fd()); !durable.Unsupported(err) {
		return err
	}
	return nil
}

// sharedRoot returns root itself: here, an open directory can be removed and renamed.
func sharedRoot(root *os.Root) (*os.Root, error) { return root, nil }
