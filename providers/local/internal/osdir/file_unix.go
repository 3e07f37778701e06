//go:build linux || darwin || freebsd

package osdir

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A File is an open file. It has an os.File only if the kernel must copy bytes, or if os.Root
// opened it. Creating an os.File costs as much as opening the file.
type File struct {
	fd   int
	Meta Meta     // stat result from the time of opening
	os   *os.File // if set, it owns fd
}

// Create creates a new file for reading and writing. It fails if the name exists.
func (d *Dir) Create(base string) (*File, error) {
	const flags = unix.O_RDWR | unix.O_CREAT | unix.O_EXCL
	fd, err := openAt(d.fd(), base, flags, 0o666)
	if err != nil {
		return nil, err
	}
	return &File{fd: fd}, nil
}

// openAt opens the entry base of the directory dirFD.
func openAt(dirFD int, base string, flags int, mode uint32) (fd int, err error) {
	err = retryEINTR(func() (err error) {
		fd, err = unix.Openat(dirFD, base, flags|unix.O_CLOEXEC, mode)
		return err
	})
	return fd, err
}

// Edit opens an existing file of the directory for reading and writing.
func (d *Dir) Edit(base string) (*File, error) {
	f, err := d.root.OpenFile(d.PathOf(base), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &File{fd: int(f.Fd()), os: f}, nil
}

// Open opens a file or directory below d for reading. Meta.Kind tells which one it is. Open follows
// a symbolic link only inside the root, and does not block at a pipe.
func (d *Dir) Open(path string) (*File, error) {
	f, err := d.openFile(path)
	if err != nil {
		return nil, err
	}
	f.Meta, err = f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// openFile opens a path below d for reading, in one system call if possible. If that fails, as it
// does at a symbolic link, os.Root opens the path.
func (d *Dir) openFile(path string) (*File, error) {
	// O_NONBLOCK keeps the call from waiting for the writer of a named pipe.
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	var fd int
	var err error
	if strings.Contains(path, "/") {
		// O_NOFOLLOW is only about the last name of a path.
		fd, err = openBeneath(d.fd(), path, flags)
	} else {
		fd, err = openAt(d.fd(), path, flags, 0)
	}
	if err == nil {
		return &File{fd: fd}, nil
	}
	if IsNotExist(err) {
		return nil, err
	}

	f, err := d.root.OpenFile(d.PathOf(path), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	return &File{fd: int(f.Fd()), os: f}, nil
}

// Stat returns the current stat result of the file.
func (f *File) Stat() (Meta, error) { return metaOfOpen(f.fd) }

// Write writes all of p, unless it fails. It repeats short writes and writes that a signal
// interrupted.
func (f *File) Write(p []byte) (int, error) {
	written := 0
	for written < len(p) {
		n, err := unix.Write(f.fd, p[written:])
		if n > 0 {
			written += n
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return written, err
		}
		if n == 0 {
			return written, io.ErrShortWrite
		}
	}
	return written, nil
}

// SetTime sets the time of the file. d and base are the file's directory and name.
func (f *File) SetTime(d *Dir, base string, t time.Time) error {
	return setFileTime(d, f.fd, base, t)
}

// SetMode sets the permissions of the file.
func (f *File) SetMode(mode uint32) error {
	return retryEINTR(func() error { return unix.Fchmod(f.fd, mode) })
}

// Sync flushes the file to the disk.
func (f *File) Sync() error {
	if f.os != nil {
		return f.os.Sync()
	}
	return fsync(f.fd)
}

// OSFile returns the file as an os.File with the given name. The os.File owns the descriptor from
// then on.
func (f *File) OSFile(name string) *os.File {
	if f.os == nil {
		f.os = os.NewFile(uintptr(f.fd), name)
	}
	return f.os
}

// Close closes the file.
func (f *File) Close() error {
	if f.os != nil {
		return f.os.Close()
	}
	return unix.Close(f.fd)
}

// Identity returns the inode of the file.
func Identity(f *os.File) (uint64, error) {
	m, err := (&File{fd: int(f.Fd()), os: f}).Stat()
	return m.Ino, err
}

// Xattr returns the extended attribute of this module. If the file lacks the attribute, it returns
// nil.
func (f *File) Xattr() ([]byte, error) { return getXattr(f.fd) }

// SetXattr sets the extended attribute of this module.
func (f *File) SetXattr(value []byte) error { return setXattr(f.fd, value) }

// RemoveXattr removes the extended attribute of this module.
func (f *File) RemoveXattr() error { return removeXattr(f.fd) }

// RetryInUse calls operation once. Unix needs no retries, because open files can be renamed and
// removed.
func RetryInUse(_ context.Context, operation func() error) error { return operation() }
