package storage

import (
	"fmt"
	"io"
	"os"
)

// A source is an upload's body: random access in place where the body allows
// it, else a stream that is read by Read alone.
type source struct {
	at   io.ReaderAt // nil for a stream
	off  int64       // where at begins
	size int64       // bytes; of a stream what WithSize said, or -1

	stream io.Reader
	head   []byte // read from stream to sniff the content type, not delivered yet
	end    error  // what the stream ended with while head was read
}

// randomAccess is what is read in place: bytes.Reader, strings.Reader,
// io.SectionReader, *ReaderAt. An *os.File has no Size; it is known by its
// type, so that a struct that embeds one keeps its own Read.
type randomAccess interface {
	io.ReaderAt
	io.Seeker
	Size() int64
}

// init looks at the body; declared is WithSize's number, or -1. A size is never
// guessed from a reader that has been read from.
func (s *source) init(body io.Reader, declared int64) *Error {
	s.size = declared
	switch b := body.(type) {
	case nil:
		return invalid("body", "must not be nil; an empty object has an empty body")
	case *os.File:
		if e := s.initFile(b); e != nil {
			return e
		}
	case randomAccess:
		off, err := b.Seek(0, io.SeekCurrent)
		if err != nil {
			return bodyFailed(err)
		}
		s.at, s.off, s.size = b, off, max(b.Size()-off, 0)
	}
	if s.at == nil {
		s.stream = body
	} else if declared >= 0 && declared != s.size {
		return wrongLength(s.size, declared)
	}
	return nil
}

// initFile reads a regular file in place. One of size 0 is read as a stream:
// files of /proc say 0 and have content.
func (s *source) initFile(f *os.File) *Error {
	if f == nil {
		return invalid("body", "must not be a nil *os.File")
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil // Read will say what is wrong
	}
	off, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil
	}
	s.at, s.off, s.size = f, off, max(info.Size()-off, 0)
	return nil
}

// sniff is the first bytes of the body, up to 512.
func (s *source) sniff() []byte {
	const enough = 512 // http.DetectContentType looks at no more
	head := make([]byte, enough)
	if s.at != nil {
		n, _ := s.at.ReadAt(head[:min(enough, s.size)], s.off) // an error comes again when the body is read
		return head[:n]
	}
	n := 0
	for n < enough && s.end == nil {
		var k int
		k, s.end = readSome(s.stream, head[n:])
		n += k
	}
	s.head = head[:n]
	return s.head
}

// Read delivers a stream, what was sniffed first.
func (s *source) Read(p []byte) (int, error) {
	if len(s.head) > 0 {
		n := copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	}
	if s.end != nil {
		return 0, s.end
	}
	n, err := readSome(s.stream, p)
	s.end = err
	return n, err
}

// section is length bytes of a random-access body from off on.
func (s *source) section(off, length int64) *io.SectionReader {
	return io.NewSectionReader(s.at, s.off+off, length)
}

func wrongLength(got, declared int64) *Error {
	return bodyFailed(fmt.Errorf("the body has %d bytes and was said to have %d", got, declared))
}

func tooLong(declared int64) *Error {
	return bodyFailed(fmt.Errorf("the body has more than the %d bytes that it was said to have", declared))
}
