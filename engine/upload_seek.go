package engine

import (
	"errors"
	"io"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/buffer"
)

// A seekable reads an [io.ReadSeeker] at offsets, so that a body which goes in one request
// needs no buffer. It calls the caller's own Read, in order, and seeks only to begin again.
type seekable struct {
	mu   sync.Mutex // an earlier attempt's reader may still be reading
	from io.ReadSeeker
	next int64 // offset of the next Read; -1 if it is not known
}

// initSeeker reads the body in place if it can seek, has exactly the declared size, and is
// at most limit bytes. Other bodies stay streams, which are read once.
func (s *source) initSeeker(body io.Reader, declared, limit int64) *storage.Error {
	from, ok := body.(io.ReadSeeker)
	if !ok || declared < 0 || declared > limit {
		return nil
	}
	off, err := from.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil // a pipe, for example
	}
	end, failed := from.Seek(0, io.SeekEnd)
	if failed == nil && end-off == declared {
		s.at, s.off = &seekable{from: from, next: end}, off
		return nil
	}
	if _, err = from.Seek(off, io.SeekStart); err != nil {
		return bodyFailed(err)
	}
	return nil
}

// ReadAt implements [io.ReaderAt].
func (s *seekable) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := s.next
	s.next = -1 // until Read has succeeded
	if next != off {
		at, err := s.from.Seek(off, io.SeekStart)
		if err == nil && at != off {
			err = errors.New("Seek went to another offset")
		}
		if err != nil {
			return 0, err
		}
	}
	for n := 0; ; {
		if n == len(p) {
			s.next = off + int64(n)
			return n, nil
		}
		k, err := buffer.ReadSome(s.from, p[n:])
		if n += k; err != nil {
			return n, err
		}
	}
}
