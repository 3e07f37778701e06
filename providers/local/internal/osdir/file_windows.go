package osdir

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

// A File is an open file.
type File struct {
	Meta Meta // stat result from the time of opening
	os   *os.File
}

// Create creates a new file for writing. It fails if the name exists.
func (d *Dir) Create(base string) (*File, error) {
	f, err := d.root.OpenFile(d.PathOf(base), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	return &File{os: f}, nil
}

// Edit opens an existing file of the directory for reading and writing.
func (d *Dir) Edit(base string) (*File, error) {
	f, err := d.root.OpenFile(d.PathOf(base), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &File{os: f}, nil
}

// Open opens a file or directory below d for reading. Meta.Kind tells which one it is. Open follows
// a symbolic link only inside the root.
func (d *Dir) Open(path string) (*File, error) {
	file, err := d.root.Open(d.PathOf(path))
	if err != nil {
		return nil, err
	}
	f := &File{os: file}
	f.Meta, err = f.Stat()
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

// Stat returns what the file system currently says about the file.
func (f *File) Stat() (Meta, error) {
	info, err := f.os.Stat()
	if err != nil {
		return Meta{}, err
	}
	inode, err := Identity(f.os)
	if err != nil {
		return Meta{}, err
	}
	return metaOfInfo(info, inode), nil
}

// Write writes all of p.
func (f *File) Write(p []byte) (int, error) { return f.os.Write(p) }

// SetTime sets the time of the file. It uses the handle that wrote the file. If another handle set
// the time, closing the handle that wrote the file would replace the time.
func (f *File) SetTime(_ *Dir, _ string, t time.Time) error {
	stamp := windows.NsecToFiletime(t.UnixNano())
	return windows.SetFileTime(windows.Handle(f.os.Fd()), nil, &stamp, &stamp)
}

// SetMode does nothing. On Windows, the permissions of a new file come from its directory.
func (f *File) SetMode(uint32) error { return nil }

// Sync flushes the file to the disk.
func (f *File) Sync() error { return f.os.Sync() }

// OSFile returns the file as an os.File.
func (f *File) OSFile(string) *os.File { return f.os }

// Close closes the file.
func (f *File) Close() error { return f.os.Close() }

// Xattr always fails with errors.ErrUnsupported.
func (f *File) Xattr() ([]byte, error) { return nil, errors.ErrUnsupported }

// SetXattr always fails with errors.ErrUnsupported.
func (f *File) SetXattr([]byte) error { return errors.ErrUnsupported }

// RemoveXattr always fails with errors.ErrUnsupported.
func (f *File) RemoveXattr() error { return errors.ErrUnsupported }

// Identity returns the number that identifies the file on its volume. NTFS never gives the number of
// a deleted file to another one, because the number includes a counter.
func Identity(f *os.File) (uint64, error) {
	var info windows.ByHandleFileInformation
	if err := windows.GetFileInformationByHandle(windows.Handle(f.Fd()), &info); err != nil {
		return 0, err
	}
	return uint64(info.FileIndexHigh)<<32 | uint64(info.FileIndexLow), nil
}
