// Package localfile reads files that others may change meanwhile, and tells how much space is free.
package localfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// ErrChanged is the error of a file that changed while it was read.
var ErrChanged = errors.New("the file changed while it was read")

// A Stable delivers a file as it was when it was opened, or fails. After each
// read, the size and the modification time must be the same, so that all delivered
// bytes existed at one moment. A change within the file system's time resolution is
// not noticed.
type Stable struct {
	file     *os.File
	size     int64
	modified time.Time
	changed  atomic.Bool
}

// NewStable returns a Stable of the open file f, which info describes.
func NewStable(f *os.File, info fs.FileInfo) *Stable {
	return &Stable{file: f, size: info.Size(), modified: info.ModTime()}
}

// Size returns how many bytes the file had when it was opened.
func (s *Stable) Size() int64 { return s.size }

// Modified returns when the file was changed last before it was opened.
func (s *Stable) Modified() time.Time { return s.modified }

// Changed reports whether a read has failed because the file changed.
func (s *Stable) Changed() bool { return s.changed.Load() }

// Reader returns a reader of the file from its start. Several goroutines may read ranges of it at the
// same time.
func (s *Stable) Reader() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

// ReadAt may be called by several goroutines at the same time.
func (s *Stable) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	if failed := s.check(); failed != nil {
		return 0, failed
	}
	return n, err
}

// check fails if the file has changed.
func (s *Stable) check() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != s.size || !info.ModTime().Equal(s.modified) {
		s.changed.Store(true)
		return ErrChanged
	}
	return nil
}

// Empty fails if a file of size 0 is not empty: files of /proc have size 0 and
// content.
func (s *Stable) Empty() error {
	if s.size > 0 {
		return nil
	}
	var one [1]byte
	if n, _ := s.file.ReadAt(one[:], 0); n > 0 {
		s.changed.Store(true)
		return ErrChanged
	}
	return nil
}
