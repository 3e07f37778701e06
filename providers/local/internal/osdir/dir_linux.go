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

// setFileTime sets the time of an open file with a raw system call, because package unix has no
// futimens.
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

// openBeneath opens a path below a directory with openat2, one system call that never leaves the
// directory, even through symbolic links. If it fails, the caller tries os.Root.
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

// Each is an iterator over the entries of d, from the beginning. An error is its last value. Names
// that are removed or created meanwhile may be omitted, and one that is replaced may come twice.
//
// Each does not use ReadDir of os.File, which calls stat for every entry if os.Root has opened the
// directory.
func (d *Dir) Each(yield func(Entry, error) bool) {
	offset := int64(0) // where the next read begins
	for range 1 + maxRereads {
		start := time.Now()
		end, isDone, err := d.eachFrom(offset, yield)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		if isDone || !d.mayHaveMissed(start) {
			return
		}
		// Read what may have been moved beyond the end of this read.
		offset = end
	}
}

// maxRereads limits how often Each reads the end of a directory again. It reads again while other
// processes keep changing the directory.
const maxRereads = 8

// mayHaveMissed reports whether a read of the directory that began at start may have missed a name.
// On Btrfs, a rename over an existing name moves the name to a new end, beyond the one that the read
// knows. An overlay, as in containers, may be on Btrfs.
func (d *Dir) mayHaveMissed(start time.Time) bool {
	// Changes within one tick of the kernel's clock have the same time. This constant is twice the
	// tick of the slowest kernel.
	const tick = 20 * time.Millisecond
	meta, err := d.StatSelf()
	if err != nil || meta.Time().Before(start.Add(-tick)) {
		return false
	}

	var fs unix.Statfs_t
	if err := unix.Fstatfs(d.fd(), &fs); err != nil {
		return false
	}
	return fs.Type == unix.BTRFS_SUPER_MAGIC || fs.Type == unix.OVERLAYFS_SUPER_MAGIC
}

// eachFrom does what Each does, but begins at an offset. It returns the offset after the last entry
// that it read. isDone is true if Each must not read on from there: yield has returned false, or the
// file system moves no entries.
func (d *Dir) eachFrom(offset int64, yield func(Entry, error) bool) (end int64, isDone bool, err error) {
	// The seek to 0 makes Btrfs determine the end again.
	if _, err := unix.Seek(d.fd(), 0, io.SeekStart); err != nil {
		return offset, true, err
	}
	if offset != 0 {
		if _, err := unix.Seek(d.fd(), offset, io.SeekStart); err != nil {
			// Only an overlay that is not on Btrfs refuses this offset.
			return offset, true, nil
		}
	}

	buf := direntBuffers.Get().(*[]byte)
	defer direntBuffers.Put(buf)
	for {
		n, err := d.getdents(*buf)
		if err != nil || n <= 0 {
			return offset, false, err
		}
		var hasMore bool
		offset, hasMore = parseDirents((*buf)[:n], offset, yield)
		if !hasMore {
			return offset, true, nil
		}
	}
}

// getdents reads the next entries of the directory into buf, and returns their size in bytes, which
// is 0 at the end.
func (d *Dir) getdents(buf []byte) (n int, err error) {
	err = retryEINTR(func() (err error) {
		n, err = unix.Getdents(d.fd(), buf)
		return err
	})
	if errors.Is(err, unix.ENOENT) {
		// A removed directory is empty.
		return 0, nil
	}
	return n, err
}

// parseDirents calls yield for the directory entries in b until yield returns false, which makes
// hasMore false. The first entry is at offset in the directory, and the last one ends at end.
//
// Each entry is a struct linux_dirent64: its inode (8 bytes), the offset of the next entry (8), the
// record's length (2), the type (1), the name and NULs.
func parseDirents(b []byte, offset int64, yield func(Entry, error) bool) (end int64, hasMore bool) {
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
			// Btrfs reports one of these numbers for the last entry, in place of the offset after it.
			offset++
		} else {
			offset = next
		}

		name := record[nameAt:]
		if i := bytes.IndexByte(name, 0); i >= 0 {
			name = name[:i]
		}
		inode := binary.NativeEndian.Uint64(record)
		if inode == 0 || string(name) == "." || string(name) == ".." {
			// An inode of 0 means that the entry was removed.
			continue
		}
		if !yield(Entry{Name: string(name), Kind: kindOfDirent(record[typeAt])}, nil) {
			return offset, false
		}
	}
	return offset, true
}

// kindOfDirent converts the type in a linux_dirent64 to a Kind.
func kindOfDirent(direntType byte) Kind {
	switch direntType {
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
