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

// setFileTime calls futimens, which package unix does not have.
func setFileTime(_ *Dir, fd int, _ string, t time.Time) error {
	stamp, err := unix.TimeToTimespec(t)
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

// Exchange atomically swaps two files: base in d, and fromBase in src. Both must exist.
func (d *Dir) Exchange(base string, src *Dir, fromBase string) error {
	return retryEINTR(func() error {
		return unix.Renameat2(src.fd(), fromBase, d.fd(), base, unix.RENAME_EXCHANGE)
	})
}

// openBeneath opens a path in one system call. Like os.Root, the call does not leave the parent,
// even through symbolic links. If it fails, the caller tries os.Root.
func openBeneath(fd int, path string, flags int) (dirFD int, err error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH}
	err = retryEINTR(func() error {
		dirFD, err = unix.Openat2(fd, cmp.Or(path, "."), &how)
		return err
	})
	return dirFD, err
}

var direntBuffers = sync.Pool{New: func() any {
	b := make([]byte, 64<<10)
	return &b
}}

// Each calls the given function for every name in d, from the beginning. It stops when the function
// returns false. Each does not use ReadDir of os.File: if os.Root has opened the directory, ReadDir
// makes a stat of every entry. A page of a listing needs the stat of only a few entries.
//
// If a name is removed or created meanwhile, Each may omit it. If a name is replaced meanwhile,
// Each may return it twice.
func (d *Dir) Each(yield func(Entry) bool) error {
	start := time.Now()
	end, hasMore, err := d.eachFrom(0, yield)
	for range maxEnds {
		if err != nil || !hasMore || !d.appends(start) {
			break
		}
		start = time.Now()
		end, hasMore, err = d.eachFrom(end, yield)
	}
	return err
}

// maxEnds limits how often Each reads the end of a directory again. It reads again while other
// processes keep changing the directory.
const maxEnds = 8

// appends reports whether Each may have missed a name. start is the time when Each
// began to read. On Btrfs, a rename over an existing name moves the name to the end of the
// directory. If Each began before the rename, it does not see the moved name. So the result is true
// if the directory is on Btrfs and was changed after start. An overlay file system, as in
// containers, counts as Btrfs, because it may be on Btrfs.
func (d *Dir) appends(start time.Time) bool {
	// Changes within one tick of the kernel's clock have the same time. This constant is twice the
	// tick of the slowest kernel.
	const tick = 20 * time.Millisecond
	m, err := d.StatSelf()
	if err != nil || m.Time().Before(start.Add(-tick)) {
		return false
	}
	var s unix.Statfs_t
	return unix.Fstatfs(d.fd(), &s) == nil && (s.Type == unix.BTRFS_SUPER_MAGIC || s.Type == unix.OVERLAYFS_SUPER_MAGIC)
}

// eachFrom does what Each does, but begins at the given offset. It returns the offset after the
// last entry that it has read. The second result is false if the given function has returned
// false, or if the file system refuses the offset.
func (d *Dir) eachFrom(offset int64, yield func(Entry) bool) (end int64, hasMore bool, err error) {
	buffer := direntBuffers.Get().(*[]byte)
	defer direntBuffers.Put(buffer)
	for _, pos := range []int64{0, offset} { // the first seek makes Btrfs determine the end again
		if _, err := unix.Seek(d.fd(), pos, 0); err != nil && pos == 0 {
			return offset, false, err
		} else if err != nil {
			// Only an overlay that is not on Btrfs refuses this offset.
			return offset, false, nil
		}
	}

	for hasMore = true; hasMore; {
		n, err := unix.Getdents(d.fd(), *buffer)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if errors.Is(err, unix.ENOENT) {
			// A removed directory is empty.
			return offset, true, nil
		}
		if err != nil || n <= 0 {
			return offset, true, err
		}
		offset, hasMore = parseDirents((*buffer)[:n], offset, yield)
	}
	return offset, false, nil
}

// parseDirents parses entries of type struct linux_dirent64. An entry has its inode (8 bytes), the
// offset of the next entry (8), the record's length (2), the type (1), the name and NULs. offset is
// the offset of the first entry.
func parseDirents(b []byte, offset int64, yield func(Entry) bool) (int64, bool) {
	const header = 19
	for len(b) > header {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= header || size > len(b) {
			break
		}
		switch next := int64(binary.NativeEndian.Uint64(b[8:])); next {
		case math.MaxInt32, math.MaxInt64:
			// Btrfs uses these offsets after the last entry.
			offset++
		default:
			offset = next
		}
		name := b[header:size]
		if end := bytes.IndexByte(name, 0); end >= 0 {
			name = name[:end]
		}
		if string(name) != "." && string(name) != ".." && binary.NativeEndian.Uint64(b) != 0 {
			if !yield(Entry{Name: string(name), Kind: kindOfDirent(b[18])}) {
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

// StartFlush starts writing a file's data from memory to the disk, and returns before that is done.
func StartFlush(f *File) { _ = unix.SyncFileRange(f.fd, 0, 0, unix.SYNC_FILE_RANGE_WRITE) }

// errNoXattr is the error for a file that lacks the attribute.
const errNoXattr = unix.ENODATA
