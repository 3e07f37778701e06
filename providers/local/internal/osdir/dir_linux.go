package osdir

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"math"
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

// Each calls each for the names in d, from the first one, until each returns false. For a directory
// that os.Root has opened, ReadDir of os.File would stat every entry, but a page needs the stat of
// its own entries only.
//
// A name that is removed or made meanwhile may be left out, and a name that is replaced may come
// twice.
func (d *Dir) Each(each func(Entry) bool) error {
	begun := time.Now()
	end, more, err := d.eachFrom(0, each)
	for range maxEnds {
		if err != nil || !more || !d.appends(begun) {
			break
		}
		begun = time.Now()
		end, more, err = d.eachFrom(end, each)
	}
	return err
}

// maxEnds is how often the end of a directory that always changes is read again.
const maxEnds = 8

// appends reports whether a name that was replaced since begun may have been left out. On Btrfs, renaming a file to a
// name that exists moves the name to the end, and a process that reads the directory does not see names that were
// moved there since its first entry. An overlay file system, as in containers, may be on Btrfs.
func (d *Dir) appends(begun time.Time) bool {
	const tick = 20 * time.Millisecond // twice the slowest kernel's; changes within a tick have one time
	m, err := d.StatSelf()
	if err != nil || m.Time().Before(begun.Add(-tick)) {
		return false
	}
	var s unix.Statfs_t
	return unix.Fstatfs(d.fd(), &s) == nil && (s.Type == unix.BTRFS_SUPER_MAGIC || s.Type == unix.OVERLAYFS_SUPER_MAGIC)
}

// eachFrom is Each from an offset, and returns the offset of the end. more is false if each returned
// false.
func (d *Dir) eachFrom(offset int64, each func(Entry) bool) (end int64, more bool, err error) {
	buffer := direntBuffers.Get().(*[]byte)
	defer direntBuffers.Put(buffer)
	for _, to := range []int64{0, offset} { // Btrfs determines the end at the first seek
		if _, err := unix.Seek(d.fd(), to, 0); err != nil && to == 0 {
			return offset, false, err
		} else if err != nil {
			return offset, false, nil // an overlay is not on Btrfs
		}
	}
	for more = true; more; {
		n, err := unix.Getdents(d.fd(), *buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.ENOENT) {
			return offset, true, nil // the directory was removed, so it is empty
		}
		if err != nil || n <= 0 {
			return offset, true, err
		}
		offset, more = parseDirents((*buffer)[:n], offset, each)
	}
	return offset, false, nil
}

// parseDirents parses entries of type struct linux_dirent64: inode (8 bytes), offset of the next one (8),
// record length (2), type (1), name and NULs. offset is that of the first one.
func parseDirents(b []byte, offset int64, each func(Entry) bool) (int64, bool) {
	const header = 19
	for len(b) > header {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= header || size > len(b) {
			break
		}
		switch next := int64(binary.NativeEndian.Uint64(b[8:])); next {
		case math.MaxInt32, math.MaxInt64: // the last entry on Btrfs
			offset++
		default:
			offset = next
		}
		name := b[header:size]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if string(name) != "." && string(name) != ".." && binary.NativeEndian.Uint64(b) != 0 {
			if !each(Entry{Name: string(name), Kind: kindOfDirent(b[18])}) {
				return offset, false
			}
		}
		b = b[size:]
	}
	return offset, true
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

// StartFlush begins to write a file's data in memory to the disk, and does not wait for the
// end.
func StartFlush(f *File) { _ = unix.SyncFileRange(f.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }

// errNoXattr is the error of a file without the attribute.
const errNoXattr = unix.ENODATA
