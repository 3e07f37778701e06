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

// errChanged is of a file that changed while it was read.
var errChanged = errors.New("the file changed while it was read")

// A stableFile is a file that is read as it was when it was opened, or not at all:
// after every read, size and time of modification must be the same, so that all
// that was delivered was there at one moment. A change within the file system's
// own resolution of time passes.
type stableFile struct {
	file     *os.File
	size     int64
	modified time.Time
	changed  atomic.Bool
}

func newStableFile(f *os.File, info fs.FileInfo) *stableFile {
	return &stableFile{file: f, size: info.Size(), modified: info.ModTime()}
}

// reader reads the file from its start, also in place and in several parts at
// once.
func (s *stableFile) reader() *io.SectionReader { return io.NewSectionReader(s, 0, s.size) }

// ReadAt may be called by several goroutines at once.
func (s *stableFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	if failed := s.check(); failed != nil {
		return 0, failed
	}
	return n, err
}

// check fails where the file is not what it was.
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

// empty makes sure that a file of size 0 is empty: one of /proc says 0 and has
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

// contextReader is a reader that ends with ctx.
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
