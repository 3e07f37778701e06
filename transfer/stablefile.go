package transfer

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"
)

// errChanged is the error of a file that changed while it was read.
var errChanged = errors.New("the file changed while it was read")

// A stableFile delivers a file as it was when it was opened, or fails. After each
// read, the size and the modification time must be the same, so that all delivered
// bytes existed at one moment. A change within the file system's time resolution is
// not noticed.
type stableFile struct {
	file     *os.File
	size     int64
	modified time.Time
	changed  atomic.Bool
}

func newStableFile(f *os.File, info fs.FileInfo) *stableFile {
	return &stableFile{file: f, size: info.Size(), modified: info.ModTime()}
}

// reader returns a reader of the file from its start. Several goroutines may read
// ranges of it at the same time.
func (s *stableFile) reader() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

// ReadAt may be called by several goroutines at the same time.
func (s *stableFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	if failed := s.check(); failed != nil {
		return 0, failed
	}
	return n, err
}

// check fails if the file has changed.
func (s *stableFile) check() error {
	info, err := s.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != s.size || !info.ModTime().Equal(s.modified) {
		s.changed.Store(true)
		return errChanged
	}
	return nil
}

// empty fails if a file of size 0 is not empty: files of /proc have size 0 and
// content.
func (s *stableFile) empty() error {
	if s.size > 0 {
		return nil
	}
	var one [1]byte
	if n, _ := s.file.ReadAt(one[:], 0); n > 0 {
		s.changed.Store(true)
		return errChanged
	}
	return nil
}

// contextReader is a reader that fails when ctx is done.
type contextReader struct {
	ctx  context.Context
	from io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.from.Read(p)
}
