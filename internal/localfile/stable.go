// Package localfile has operations on local files that package os lacks. It makes the names of files survive a power
// failure, and locks files. It removes a file only if nobody has replaced it, and reads files that other programs may
// change at the same time.
package localfile

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// ErrChanged is the error of a read if the file changed after it was opened.
var ErrChanged = errors.New("the file changed while it was read")

// A Stable reads the content that a file had when it was opened. If the file has changed, a read
// fails, so that a reader never gets a mix of old and new bytes. Each read compares the size and
// the modification time of the file with those at the opening. A change is not noticed if both
// values stay the same.
type Stable struct {
	file     *os.File
	size     int64
	modified time.Time
	changed  atomic.Bool
}

// NewStable returns a Stable for the open file f. info must be the result of f.Stat.
func NewStable(f *os.File, info fs.FileInfo) *Stable {
	return &Stable{file: f, size: info.Size(), modified: info.ModTime()}
}

// Size returns the number of bytes that the file had when it was opened.
func (s *Stable) Size() int64 { return s.size }

// Modified returns the modification time that the file had when it was opened.
func (s *Stable) Modified() time.Time { return s.modified }

// Changed reports whether a read has failed because the file changed.
func (s *Stable) Changed() bool { return s.changed.Load() }

// Reader returns a new reader of the whole file. Several goroutines may call its ReadAt at the same
// time.
func (s *Stable) Reader() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

// ReadAt implements [io.ReaderAt]. It fails with [ErrChanged] if the file has changed.
func (s *Stable) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	if checkErr := s.check(); checkErr != nil {
		return 0, checkErr
	}
	return n, err
}

// check returns [ErrChanged] if the file has changed since it was opened.
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

// Empty checks a file whose size is 0, and fails if it has content all the same, as files of /proc
// have.
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
