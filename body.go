package storage

import (
	"bytes"
	"io"

	"github.com/omnibucket/storage/internal/panics"
)

// hashBlock is how much is read before it is hashed: it is still in the cache
// then.
const hashBlock = 64 << 10

// body is what a driver reads: it counts and hashes what passes, and ends in an
// error rather than in io.EOF where length or checksum is not what was said.
type body struct {
	from  io.Reader
	size  int64         // -1: unknown
	limit int64         // the provider's, in bytes; 0: none
	want  *uint32       // the CRC32C that was declared
	sum   **uint32      // where the CRC32C is wanted at the end, and so computed on the way; nil where it is known
	moved func(n int64) // is told of progress

	read    int64
	reached int64  // the furthest that was read, before a rewind
	broken  *Error // what reading failed with
	caught  panics.Caught
	crc     uint32
	exact   bool // from ends at size, as a section does; a stream is asked once more, so that a longer one is found
	partial bool // reading began elsewhere than at the start
	ended   bool
}

// Read never delivers the last bytes of a body that is not what was said: a
// caller of io.ReadFull would not look at the error beside them. It does not panic:
// an HTTP client reads the body in a goroutine of its own, out of reach for anybody.
func (b *body) Read(p []byte) (n int, err error) {
	b.caught.Do(func() { n, err = b.next(p) }, func() {
		b.broken = errPanicked("")
		n, err = 0, b.broken
	})
	return n, err
}

func (b *body) next(p []byte) (int, error) {
	if b.broken != nil {
		return 0, b.broken
	}
	total := 0
	for total < len(p) && !b.ended {
		n, err := readSome(b.from, p[total:min(len(p), total+hashBlock)])
		b.take(p[total : total+n])
		total += n
		switch {
		case b.size >= 0 && b.read > b.size:
			b.broken = tooLong(b.size)
			return 0, b.broken
		case b.limit > 0 && b.read > b.limit:
			b.broken = tooLarge(0)
			return 0, b.broken
		case err != nil && err != io.EOF:
			b.broken = bodyFailed(err)
			return total, b.broken
		case err != nil || b.exact && b.read == b.size:
			if b.broken = b.finish(); b.broken != nil {
				return 0, b.broken
			}
		}
		if n < hashBlock {
			break // what is there now: a slow source is not waited for
		}
	}
	b.report()
	if total == 0 && b.ended {
		return 0, io.EOF
	}
	return total, nil
}

func (b *body) take(p []byte) {
	if b.sum != nil {
		b.crc = updateCRC(b.crc, p)
	}
	b.read += int64(len(p))
}

func (b *body) report() {
	if b.moved != nil && b.read > b.reached {
		b.moved(b.read - b.reached)
		b.reached = b.read
	}
}

// finish is reached at the end: is it what was said?
func (b *body) finish() *Error {
	if b.size >= 0 && b.read != b.size {
		return wrongLength(b.read, b.size)
	}
	if b.sum != nil && !b.partial {
		if b.want != nil && *b.want != b.crc {
			return mismatch(*b.want, b.crc)
		}
		*b.sum = &b.crc
	}
	b.ended = true
	return nil
}

func (b *body) failure() *Error { return b.broken }

// raise panics if reading has, in the goroutine that asked for the request.
func (b *body) raise() { b.caught.Raise() }

// rewind is impossible for a stream, but where nothing was read yet.
func (b *body) rewind() bool { return b.read == 0 && b.broken == nil && !b.ended }

// A sectionBody is a body that can be read again.
type sectionBody struct {
	body
	section io.SectionReader
}

// init makes b the body of length bytes of at from off on.
func (b *sectionBody) init(at io.ReaderAt, off, length int64) {
	b.section = *io.NewSectionReader(at, off, length)
	b.from, b.exact, b.size = &b.section, true, length
}

// Seek to the start hashes anew. After a Seek to anywhere else nothing is
// hashed: what is read then is not the whole.
func (b *sectionBody) Seek(offset int64, whence int) (int64, error) {
	at, err := b.section.Seek(offset, whence)
	if err != nil {
		return at, err
	}
	b.read, b.crc, b.broken, b.ended = at, 0, nil, false
	b.partial = at != 0
	if b.sum != nil {
		*b.sum = nil // it is b.crc, which begins anew
	}
	return at, nil
}

// LookAt is ReadAt without delivering the bytes: they are neither hashed nor
// progress. It is no ReadAt, which a type that embeds another reader has, with a
// Read of its own that is to be used.
func (b *sectionBody) LookAt(p []byte, off int64) (n int, err error) {
	b.caught.Do(func() { n, err = b.section.ReadAt(p, off) }, func() { n, err = 0, errPanicked("") })
	if err != nil && err != io.EOF {
		b.broken = bodyFailed(err)
		return n, b.broken
	}
	return n, err
}

func (b *sectionBody) rewind() bool {
	_, err := b.Seek(0, io.SeekStart)
	return err == nil
}

// A memoryBody is a sectionBody of bytes that lie in memory already: a driver
// that keeps them in memory copies them once, into memory of their length.
type memoryBody struct{ *sectionBody }

// inMemory makes b a memoryBody, where it is one.
func (b *sectionBody) inMemory() (memoryBody, bool) {
	at, _, _ := b.section.Outer()
	switch at := at.(type) {
	case *bytes.Reader:
		return memoryBody{b}, true
	case *buffer: // of one piece
		return memoryBody{b}, at.size > 0 && at.size <= firstChunk
	}
	return memoryBody{b}, false
}

// HandOver writes what was not read yet, in one piece. All of it is hashed before:
// what is not what was said is not written at all. It is no WriteTo, which a type
// that embeds a bytes.Reader has, with a Read of its own that is to be used.
func (b memoryBody) HandOver(w io.Writer) (int64, error) {
	if b.broken != nil {
		return 0, b.broken
	}
	at, off, _ := b.section.Outer()
	var left bytes.Reader // a caller's own stays where it is
	switch at := at.(type) {
	case *bytes.Reader:
		left = *at
	case *buffer:
		left.Reset(at.chunks[0][:at.size])
	}
	if _, err := left.Seek(off+b.read, io.SeekStart); err != nil {
		return 0, err
	}
	hashed := left
	if _, err := hashed.WriteTo((*hasher)(&b.body)); err != nil {
		return 0, err
	}
	if b.broken = b.finish(); b.broken != nil {
		return 0, b.broken
	}
	if _, err := b.section.Seek(0, io.SeekEnd); err != nil {
		return 0, err
	}
	b.report()
	return left.WriteTo(w)
}

// A hasher is a body that is written to, to be counted and hashed alone.
type hasher body

func (h *hasher) Write(p []byte) (int, error) {
	(*body)(h).take(p)
	return len(p), nil
}
