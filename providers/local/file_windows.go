package local

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// A file is an open file.
type file struct {
	meta meta // at the time of opening
	os   *os.File
}

// create makes a new file for writing.
func (d *dir) create(base string) (*file, error) {
	f, err := d.root.OpenFile(d.name(base), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &file{os: f}, nil
}

// edit opens a file of this package to change it.
func (d *dir) edit(base string) (*file, error) {
	f, err := d.root.OpenFile(d.name(base), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &file{os: f}, nil
}

// open opens the entry base for reading. If base is a directory, meta says so. os.Root
// follows a symbolic link, and stays inside the bucket.
func (d *dir) open(base string) (*file, error) {
	opened, err := d.root.Open(d.name(base))
	if err != nil {
		return nil, err
	}
	f := &file{os: opened}
	if f.meta, err = f.stat(); err != nil {
		_ = f.close()
		return nil, err
	}
	return f, nil
}

func (f *file) stat() (meta, error) {
	fi, err := f.os.Stat()
	if err != nil {
		return meta{}, err
	}
	ino, err := identity(f.os)
	if err != nil {
		return meta{}, err
	}
	return metaOfInfo(fi, ino), nil
}

func (f *file) Write(p []byte) (int, error) { return f.os.Write(p) }

// setTime sets the time through the handle that wrote the file. Otherwise closing that
// handle would set the time of the last write.
func (f *file) setTime(_ *dir, _ string, at time.Time) error {
	stamp := windows.NsecToFiletime(at.UnixNano())
	return windows.SetFileTime(windows.Handle(f.os.Fd()), nil, &stamp, &stamp)
}

// setMode does nothing: the permissions of a new file come from its directory.
func (f *file) setMode(uint32) error { return nil }

func (f *file) sync() error { return f.os.Sync() }

func (f *file) osFile(string) *os.File { return f.os }

func (f *file) close() error { return f.os.Close() }

func (f *file) xattr() ([]byte, error) { return nil, errors.ErrUnsupported }

func (f *file) setXattr([]byte) error { return errors.ErrUnsupported }

func (f *file) removeXattr() error { return errors.ErrUnsupported }

// identity returns the number of the file on its volume. NTFS includes a count of uses, so
// that no number is used twice.
func identity(f *os.File) (uint64, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return 0, err
	}
	return uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow), nil
}
