package osdir

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setFileTime calls futimens, which package unix lacks.
func setFileTime(_ *Dir, fd int, _ string, at time.Time) error {
	stamp, err := unix.TimeToTimespec(at)
	if err != nil {
		return err
	}
	times := [2]unix.Timespec{stamp, stamp}
	return retryEINTR(func() error {
		_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
		if errno != 0 {
			return errno
		}
		return nil
	})
}

func fsync(fd int) error { return retryEINTR(func() error { return unix.Fsync(fd) }) }

// Exchange swaps the names of from/fromBase and d/base atomically. Both must exist.
func (d *Dir) Exchange(base string, from *Dir, fromBase string) error {
	return retryEINTR(func() error {
		return unix.Renameat2(from.fd(), fromBase, d.fd(), base, unix.RENAME_EXCHANGE)
	})
}

// openBeneath opens a path in one system call that, like os.Root, does not leave the
// parent, even through symbolic links. If it fails, the caller tries os.Root.
func openBeneath(fd int, path string, flags int) (opened int, err error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH}
	err = retryEINTR(func() error {
		opened, err = unix.Openat2(fd, cmp.Or(path, "."), &how)
		return err
	})
	return opened, err
}

var direntBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// Each calls each for the names in d, from the first one, until each returns false. After
// os.Root, ReadDir of os.File would stat every entry. A page only needs to stat its own.
func (d *Dir) Each(each func(Entry) bool) error {
	buffer := direntBuffers.Get().(*[]byte)
	defer direntBuffers.Put(buffer)
	if _, err := unix.Seek(d.fd(), 0, 0); err != nil {
		return err
	}
	for {
		n, err := unix.Getdents(d.fd(), *buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.ENOENT) {
			return nil // the directory was removed, so it is empty
		}
		if err != nil || n <= 0 {
			return err
		}
		if !parseDirents((*buffer)[:n], each) {
			return nil
		}
	}
}

// parseDirents parses entries of type struct linux_dirent64: inode (8 bytes), offset (8),
// record length (2), type (1), name and NULs.
func parseDirents(b []byte, each func(Entry) bool) bool {
	const header = 19
	for len(b) > header {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= header || size > len(b) {
			return true
		}
		name := b[header:size]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if string(name) != "." && string(name) != ".." && binary.NativeEndian.Uint64(b) != 0 {
			if !each(Entry{Name: string(name), Kind: kindOfDirent(b[18])}) {
				return false
			}
		}
		b = b[size:]
	}
	return true
}

func kindOfDirent(t byte) Kind {
	switch t {
	case syscall.DT_REG:
		return KindFile
	case syscall.DT_DIR:
		return KindDir
	case syscall.DT_LNK:
		return KindLink
	case syscall.DT_UNKNOWN:
		return KindUnknown
	}
	return KindOther
}

// StartFlush begins to write to the disk what is in memory of a file, and does not wait.
func StartFlush(f *File) { _ = unix.SyncFileRange(f.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }

// errNoXattr is the error of a file without the attribute.
const errNoXattr = unix.ENODATA
