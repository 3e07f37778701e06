//go:build linux || darwin || freebsd

package osdir

import (
	"context"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A File is an open file. It has an os.File only if that is needed for copying, or if os.Root
// opened it: making an os.File costs as much as opening the file.
type File struct {
	fd   int
	Meta Meta     // at the time of opening
	os   *os.File // owns fd, unless it is nil
}

// Create makes a new file for writing.
func (d *Dir) Create(base string) (*File, error) {
	f := &File{}
	err := retryEINTR(func() (err error) {
		f.fd, err = unix.Openat(d.fd(), base, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o666)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Edit opens the file base to change it.
func (d *Dir) Edit(base string) (*File, error) {
	f, err := d.root.OpenFile(d.PathOf(base), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &File{fd: int(f.Fd()), os: f}, nil
}

// Open opens a path below d for reading. If it is a directory, meta says so. os.Root
// follows a symbolic link, and stays inside the root. Opening a pipe does not block.
func (d *Dir) Open(path string) (f *File, err error) {
	f = &File{}
	const flags = unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK
	if strings.Contains(path, "/") {
		f.fd, err = openBeneath(d.fd(), path, flags)
	} else {
		err = retryEINTR(func() error {
			f.fd, err = unix.Openat(d.fd(), path, flags|unix.O_CLOEXEC, 0)
			return err
		})
	}
	if err != nil && !IsNotExist(err) {
		if f.os, err = d.root.OpenFile(d.PathOf(path), os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			f.fd = int(f.os.Fd())
		}
	}
	if err != nil {
		return nil, err
	}
	if f.Meta, err = f.Stat(); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Stat returns the meta of the file now.
func (f *File) Stat() (Meta, error) { return metaOfOpen(f.fd) }

// Write writes all of p.
func (f *File) Write(p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		err = retryEINTR(func() error {
			done, err := unix.Write(f.fd, p[n:])
			n += max(0, done)
			if err == nil && done == 0 {
				err = io.ErrShortWrite
			}
			return err
		})
	}
	return n, err
}

// SetTime sets the time of the file, which is the entry base of d.
func (f *File) SetTime(d *Dir, base string, at time.Time) error {
	return setFileTime(d, f.fd, base, at)
}

// SetMode sets the permissions.
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

// OSFile returns the os.File, which owns the descriptor from then on.
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

// Xattr returns the attribute of this module. It returns nil if the file has none.
func (f *File) Xattr() ([]byte, error) { return getXattr(f.fd) }

// SetXattr replaces the attribute.
func (f *File) SetXattr(value []byte) error { return setXattr(f.fd, value) }

// RemoveXattr removes the attribute.
func (f *File) RemoveXattr() error { return removeXattr(f.fd) }

// RetryInUse runs operation once: here, open files can be renamed and removed.
func RetryInUse(_ context.Context, operation func() error) error { return operation() }
