package osdir

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// setFileTime sets the time of an open file. It calls futimens, which package unix does not have.
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
func openBeneath(dirFD int, path string, flags int) (fd int, err error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_BENEATH}
	err = retryEINTR(func() (err error) {
		fd, err = unix.Openat2(dirFD, cmp.Or(path, "."), &how)
		return err
	})
	return fd, err
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
	end := int64(0)
	for range 1 + maxRereads {
		start := time.Now()
		next, hasMore, err := d.eachFrom(end, yield)
		if err != nil {
			return err
		}
		if !hasMore || !d.appends(start) {
			return nil
		}
		end = next
	}
	return nil
}

// maxRereads limits how often Each reads the end of a directory again. It reads again while other
// processes keep changing the directory.
const maxRereads = 8

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
	if err := unix.Fstatfs(d.fd(), &s); err != nil {
		return false
	}
	return s.Type == unix.BTRFS_SUPER_MAGIC || s.Type == unix.OVERLAYFS_SUPER_MAGIC
}

// eachFrom does what Each does, but begins at the given offset. It returns the offset after the
// last entry that it has read. The second result is false if the given function has returned
// false, or if the file system refuses the offset.
func (d *Dir) eachFrom(offset int64, yield func(Entry) bool) (end int64, hasMore bool, err error) {
	// The seek to 0 makes Btrfs determine the end again.
	if _, err := unix.Seek(d.fd(), 0, io.SeekStart); err != nil {
		return offset, false, err
	}
	if offset != 0 {
		if _, err := unix.Seek(d.fd(), offset, io.SeekStart); err != nil {
			// Only an overlay that is not on Btrfs refuses this offset.
			return offset, false, nil
		}
	}

	buffer := direntBuffers.Get().(*[]byte)
	defer direntBuffers.Put(buffer)
	for {
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
		if !hasMore {
			return offset, false, nil
		}
	}
}

// parseDirents calls yield for the entries in b, and stops when yield returns false. It returns the
// offset after the last entry that it has parsed. The second result is false if yield has returned
// false. offset is the offset of the first entry.
//
// Each entry is a struct linux_dirent64: its inode (8 bytes), the offset of the next entry (8), the
// record's length (2), the type (1), the name and NULs.
func parseDirents(b []byte, offset int64, yield func(Entry) bool) (end int64, hasMore bool) {
	const (
		offsetAt = 8
		lengthAt = 16
		typeAt   = 18
		nameAt   = 19
	)
	for len(b) > nameAt {
		length := int(binary.NativeEndian.Uint16(b[lengthAt:]))
		if length <= nameAt || length > len(b) {
			break
		}
		record := b[:length]
		b = b[length:]

		next := int64(binary.NativeEndian.Uint64(record[offsetAt:]))
		if next == math.MaxInt32 || next == math.MaxInt64 {
			// Btrfs uses these offsets after the last entry.
			offset++
		} else {
			offset = next
		}

		name := record[nameAt:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		ino := binary.NativeEndian.Uint64(record)
		if ino == 0 || string(name) == "." || string(name) == ".." {
			// An inode of 0 means that the entry was removed.
			continue
		}
		if !yield(Entry{Name: string(name), Kind: kindOfDirent(record[typeAt])}) {
			return offset, false
		}
	}
	return offset, true
}

// kindOfDirent returns the kind of an entry with the type t in its linux_dirent64.
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
