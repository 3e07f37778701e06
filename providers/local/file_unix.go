//go:build linux || darwin || freebsd

package local

import (
	"errors"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A file is an open file. It has an os.File only if that is needed for copying, or if
// os.Root opened it: making one costs as much as opening.
type file struct {
	fd   int
	meta meta     // at the time of opening
	os   *os.File // owns fd, unless it is nil
}

// create makes a new file for writing.
func (d *dir) create(base string) (*file, error) {
	f := &file{}
	err := retryEINTR(func() (err error) {
		f.fd, err = unix.Openat(d.fd(), base, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o666)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// edit opens a file of this package to change it.
func (d *dir) edit(base string) (*file, error) {
	f, err := d.root.OpenFile(d.name(base), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &file{fd: int(f.Fd()), os: f}, nil
}

// open opens the entry base for reading. If base is a directory, meta says so. os.Root
// follows a symbolic link, and stays inside the bucket. Opening a pipe does not block.
func (d *dir) open(base string) (*file, error) {
	f := &file{}
	err := retryEINTR(func() (err error) {
		f.fd, err = unix.Openat(d.fd(), base, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) { // EMLINK on FreeBSD
		if f.os, err = d.root.OpenFile(d.name(base), os.O_RDONLY|syscall.O_NONBLOCK, 0); err == nil {
			f.fd = int(f.os.Fd())
		}
	}
	if err != nil {
		return nil, err
	}
	if f.meta, err = f.stat(); err != nil {
		_ = f.close()
		return nil, err
	}
	return f, nil
}

func (f *file) stat() (meta, error) {
	var st unix.Stat_t
	if err := retryEINTR(func() error { return unix.Fstat(f.fd, &st) }); err != nil {
		return meta{}, err
	}
	return metaOf(&st), nil
}

// Write writes all of p.
func (f *file) Write(p []byte) (n int, err error) {
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

func (f *file) setTime(d *dir, base string, at time.Time) error {
	return setFileTime(d, f.fd, base, at)
}

func (f *file) setMode(mode uint32) error {
	return retryEINTR(func() error { return unix.Fchmod(f.fd, mode) })
}

func (f *file) sync() error {
	if f.os != nil {
		return f.os.Sync()
	}
	return fsync(f.fd)
}

// osFile returns the os.File, which owns the descriptor from then on.
func (f *file) osFile(name string) *os.File {
	if f.os == nil {
		f.os = os.NewFile(uintptr(f.fd), name)
	}
	return f.os
}

func (f *file) close() error {
	if f.os != nil {
		return f.os.Close()
	}
	return unix.Close(f.fd)
}

// identity returns the inode of the file.
func identity(f *os.File) (uint64, error) {
	m, err := (&file{fd: int(f.Fd()), os: f}).stat()
	return m.ino, err
}

func (f *file) xattr() ([]byte, error) { return getXattr(f.fd) }

func (f *file) setXattr(value []byte) error { return setXattr(f.fd, value) }

func (f *file) removeXattr() error { return removeXattr(f.fd) }
