package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/bodyio"
	"github.com/omnibucket/storage/internal/core/buffer"
	"github.com/omnibucket/storage/internal/core/progress"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/internal/running"
)

// A source is the body that the caller gave. If it allows random access, it is read in place.
// Otherwise it is a stream, and only its Read is used.
type source struct {
	readerAt io.ReaderAt // nil for a stream
	offset   int64       // where the body begins in readerAt
	size     int64       // bytes; for a stream, the size of WithSize, or -1

	stream io.Reader
	head   []byte // bytes that sniff has read and Read has not delivered yet
	end    error  // the error that ended the stream, such as io.EOF; nil until then
}

// A randomAccess is a body that is read in place, such as a bytes.Reader, strings.Reader,
// io.SectionReader or *ReaderAt. An *os.File has no Size method, so init recognizes it by its type.
// A struct that embeds an *os.File has another type, and its own Read is used.
type randomAccess interface {
	io.ReaderAt
	io.Seeker
	Size() int64
}

// init decides how the body is read, in place or as a stream. declared is the size of WithSize, or -1,
// and maxPut is the size of the largest body that one Put sends.
func (s *source) init(body io.Reader, declared, maxPut int64) *storage.Error {
	s.size = declared
	if err := s.initInPlace(body, maxPut); err != nil {
		return err
	}

	isStream := s.readerAt == nil
	if isStream {
		s.stream = body
		return nil
	}
	if declared >= 0 && declared != s.size {
		return wrongLength(s.size, declared)
	}
	return nil
}

// initInPlace sets readerAt, offset and size if the body can be read in place. s.size is the declared
// size.
func (s *source) initInPlace(body io.Reader, maxPut int64) *storage.Error {
	switch body := body.(type) {
	case nil:
		return invalid("body", "must not be nil; an empty object has an empty body")
	case *os.File:
		return s.initFile(body)
	case randomAccess:
		return s.initRandomAccess(body)
	}
	return s.initSeeker(body, s.size, maxPut)
}

// initRandomAccess makes the body be read in place, from its position to its end.
func (s *source) initRandomAccess(body randomAccess) *storage.Error {
	offset, err := body.Seek(0, io.SeekCurrent)
	if err != nil {
		return bodyFailed(err)
	}
	s.readerAt = body
	s.offset = offset
	s.size = max(body.Size()-offset, 0)
	return nil
}

// initFile makes a regular file be read in place. A file of size 0 stays a stream, because files in
// /proc have content although their size is 0.
func (s *source) initFile(file *os.File) *storage.Error {
	if file == nil {
		return invalid("body", "must not be a nil *os.File")
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		// The file is read as a stream. If Stat failed, Read will return the error.
		return nil
	}

	offset, err := file.Seek(0, io.SeekCurrent)
	if err != nil {
		// The file is read as a stream.
		return nil
	}
	s.readerAt = file
	s.offset = offset
	s.size = max(info.Size()-offset, 0) // the offset may be past the end
	return nil
}

// sniff returns the first bytes of the body, at most 512, to detect the content type.
func (s *source) sniff() []byte {
	const sniffBytes = 512 // http.DetectContentType reads no more
	head := make([]byte, sniffBytes)
	if s.readerAt != nil {
		// An error here comes again when the body is read.
		n, _ := s.readerAt.ReadAt(head[:min(sniffBytes, s.size)], s.offset)
		return head[:n]
	}

	// Read the beginning of the stream. s.end is its first error, or io.EOF.
	filled := 0
	for filled < sniffBytes && s.end == nil {
		var n int
		n, s.end = buffer.ReadSome(s.stream, head[filled:])
		filled += n
	}

	// Read delivers these bytes first.
	s.head = head[:filled]
	return s.head
}

// Read reads the stream, beginning with the bytes that sniff has read.
func (s *source) Read(p []byte) (int, error) {
	if len(s.head) > 0 {
		n := copy(p, s.head)
		s.head = s.head[n:]
		return n, nil
	}
	if s.end != nil {
		return 0, s.end
	}
	n, err := buffer.ReadSome(s.stream, p)
	s.end = err
	return n, err
}

// section returns a part of a random-access body, which begins at offset and has length bytes.
func (s *source) section(offset, length int64) *io.SectionReader {
	return io.NewSectionReader(s.readerAt, s.offset+offset, length)
}

// wrongLength returns BodyFailed for a body of got bytes, if another size was declared.
func wrongLength(got, declared int64) *storage.Error {
	return bodyFailed(fmt.Errorf("the body has %d bytes, not the %d that WithSize or the source declared", got, declared))
}

// tooLong returns BodyFailed for a body that is longer than declared.
func tooLong(declared int64) *storage.Error {
	return bodyFailed(fmt.Errorf("the body has more than the %d bytes that WithSize or the source declared", declared))
}

// hashBlock is the number of bytes that are read and then hashed. It is small, so that the bytes
// are still in the processor's cache when they are hashed.
const hashBlock = 64 << 10

// A body is the io.Reader that a driver reads. It counts and hashes the bytes. If the length or the
// checksum is not as declared, Read returns an error in place of io.EOF.
type body struct {
	from     io.Reader
	size     int64             // bytes; -1 if it is not known
	limit    int64             // the provider's limit in bytes; 0 if there is none
	want     storage.CRC32C    // the checksum that was declared
	sum      *storage.CRC32C   // set to the checksum at the end of the body; nil if the checksum is known already
	progress *progress.Counter // or nil

	read     int64
	reported int64          // bytes that were reported as progress; a rewind does not change it
	readErr  *storage.Error // why reading failed
	caught   running.Caught
	crc      uint32
	// exact is true if the source ends after size bytes, as a section of a file does. A stream may
	// be longer. If exact is false, the body therefore reads until the source returns io.EOF.
	exact   bool
	partial bool // whether reading began after the start, so that crc is not that of the whole body
	ended   bool
}

// Read reads the body. If the body does not have the declared length or checksum, Read returns an
// error instead of the last bytes. An error beside them would be ignored by io.ReadFull.
//
// Read never panics, because an HTTP client calls it in a goroutine in which the caller cannot
// recover. If the source panics, a later call of b.raise() repeats the panic.
func (b *body) Read(p []byte) (n int, err error) {
	read := func() {
		n, err = b.next(p)
	}
	onPanic := func() {
		b.readErr = errPanicked()
		n = 0
		err = b.readErr
	}
	b.caught.Do(read, onPanic)
	return n, err
}

// next reads bytes into p, block by block, and counts and hashes them. After an error, it returns that
// error always. With an error in the length or the checksum, it delivers no bytes, as Read says.
func (b *body) next(p []byte) (int, error) {
	if b.readErr != nil {
		return 0, b.readErr
	}

	total := 0
	for total < len(p) && !b.ended {
		block := p[total:min(len(p), total+hashBlock)]
		n, err := buffer.ReadSome(b.from, block)
		b.count(block[:n])
		total += n

		if err := b.checkLength(); err != nil {
			b.readErr = err
			return 0, err
		}
		if err != nil && err != io.EOF {
			b.readErr = bodyFailed(err)
			return total, b.readErr
		}
		if err == io.EOF || b.hasAll() {
			if err := b.finish(); err != nil {
				b.readErr = err
				return 0, err
			}
		}
		if n < hashBlock {
			// The source is slow, so deliver what was read.
			break
		}
	}

	// A call that reads the last bytes returns no error. The next one returns io.EOF.
	b.report()
	if total == 0 && b.ended {
		return 0, io.EOF
	}
	return total, nil
}

// hasAll reports whether the body is known to end here, even if the source has not returned io.EOF.
func (b *body) hasAll() bool { return b.exact && b.read == b.size }

// checkLength fails if the body is longer than declared, or than the provider stores.
func (b *body) checkLength() *storage.Error {
	if b.size >= 0 && b.read > b.size {
		return tooLong(b.size)
	}
	if b.limit > 0 && b.read > b.limit {
		return tooLarge(0)
	}
	return nil
}

// count counts the bytes that were read, and hashes them if the checksum is needed.
func (b *body) count(p []byte) {
	if b.sum != nil {
		b.crc = crc32c.Update(b.crc, p)
	}
	b.read += int64(len(p))
}

// report adds the bytes that were read since its last call to the progress.
func (b *body) report() {
	if b.read > b.reported {
		b.progress.Add(b.read - b.reported)
		b.reported = b.read
	}
}

// finish is called at the end of the body. It checks the length and the checksum, and passes the
// checksum to the caller in *b.sum.
func (b *body) finish() *storage.Error {
	hasSize := b.size >= 0
	if hasSize && b.read != b.size {
		return wrongLength(b.read, b.size)
	}

	// A nil sum means that the checksum is known already. After a partial read, not all bytes were
	// hashed.
	wasHashed := b.sum != nil && !b.partial
	if wasHashed {
		got := storage.CRC32C{Sum: b.crc, Known: true}
		if b.want.Known && b.want != got {
			return mismatch(b.want, got)
		}
		*b.sum = got
	}
	b.ended = true
	return nil
}

func (b *body) failure() *storage.Error { return b.readErr }

// raise panics if the caller's reader has panicked. It is called in the goroutine that made the
// request.
func (b *body) raise() { b.caught.Raise() }

// rewind reports whether the body can be read from its start. It cannot after the first byte of a
// stream was read.
func (b *body) rewind() bool { return b.read == 0 && b.readErr == nil && !b.ended }

// A sectionBody is a body that each attempt of a request can read again.
type sectionBody struct {
	body    body
	section io.SectionReader
}

func (b *sectionBody) Read(p []byte) (int, error) { return b.body.Read(p) }
func (b *sectionBody) failure() *storage.Error    { return b.body.failure() }
func (b *sectionBody) raise()                     { b.body.raise() }

// init makes the body read length bytes of r from offset on.
func (b *sectionBody) init(r io.ReaderAt, offset, length int64) {
	b.section = *io.NewSectionReader(r, offset, length)
	b.body.from = &b.section
	b.body.exact = true
	b.body.size = length
}

// Seek sets the position for the next Read. At the start, a new checksum begins. At any other
// position, there will be none, because not all bytes are read.
func (b *sectionBody) Seek(offset int64, whence int) (int64, error) {
	position, err := b.section.Seek(offset, whence)
	if err != nil {
		return position, err
	}

	b.body.read = position
	b.body.crc = 0
	b.body.readErr = nil
	b.body.ended = false
	b.body.partial = position != 0
	if b.body.sum != nil {
		*b.body.sum = storage.CRC32C{}
	}
	return position, nil
}

// PeekAt implements [driver.BodyPeeker]: it reads bytes without moving the position. Like Read, it
// never panics.
func (b *sectionBody) PeekAt(p []byte, off int64) (n int, err error) {
	readAt := func() {
		n, err = b.section.ReadAt(p, off)
	}
	onPanic := func() {
		n = 0
		err = errPanicked()
	}
	b.body.caught.Do(readAt, onPanic)
	if err != nil && err != io.EOF {
		b.body.readErr = bodyFailed(err)
		return n, b.body.readErr
	}
	return n, err
}

func (b *sectionBody) rewind() bool {
	_, err := b.Seek(0, io.SeekStart)
	return err == nil
}

// hashesWhileSending reports whether the driver accepts a body whose checksum is known only at its
// end.
func hashesWhileSending(e *engine) bool {
	return e.has(driver.StreamingPut) || e.desc.ChecksumWhileSending
}

// hashSection returns the CRC32C of a section. It reads nothing if sum is known already.
func hashSection(section *io.SectionReader, sum storage.CRC32C) (storage.CRC32C, *storage.Error) {
	if sum.Known {
		return sum, nil
	}

	chunk := bodyio.GetChunk()
	defer bodyio.PutChunk(chunk)
	var crc uint32
	offset := int64(0)
	for offset < section.Size() {
		n, err := section.ReadAt(chunk[:hashBlock], offset)
		crc = crc32c.Update(crc, chunk[:n])
		offset += int64(n)
		// After the last byte, an error such as io.EOF does not matter.
		isComplete := offset == section.Size()
		if err == nil || isComplete {
			continue
		}
		if err == io.EOF {
			// The body has become shorter than its size.
			err = io.ErrUnexpectedEOF
		}
		return storage.CRC32C{}, bodyFailed(err)
	}
	return storage.CRC32C{Sum: crc, Known: true}, nil
}

// readFailed returns the error of a body that could not be read: that of ctx if it has ended, and
// otherwise BodyFailed.
func readFailed(ctx context.Context, err error) *storage.Error {
	if ctx.Err() != nil {
		return asError(ctx, err)
	}
	return bodyFailed(err)
}

// A seekable implements [io.ReaderAt] with an [io.ReadSeeker]. It lets one Put send the body
// without a buffer. It reads the bytes in order, and seeks only if the body is read again.
type seekable struct {
	mu   sync.Mutex // an earlier attempt's reader may still be reading
	from io.ReadSeeker
	next int64 // offset of the next Read; -1 if it is not known
}

// initSeeker prepares to read body in place, if body can seek, has exactly the declared size, and has
// at most limit bytes. Any other body stays a stream, which is read once.
func (s *source) initSeeker(body io.Reader, declared, limit int64) *storage.Error {
	src, canSeek := body.(io.ReadSeeker)
	if !canSeek || declared < 0 || declared > limit {
		return nil
	}

	// Find the size of the rest of the body.
	start, err := src.Seek(0, io.SeekCurrent)
	if err != nil {
		// It is a pipe, for example.
		return nil
	}
	end, err := src.Seek(0, io.SeekEnd)
	hasDeclaredSize := err == nil && end-start == declared
	if !hasDeclaredSize {
		// The body stays a stream, which must be read from its position.
		if _, err := src.Seek(start, io.SeekStart); err != nil {
			return bodyFailed(err)
		}
		return nil
	}

	s.readerAt = &seekable{from: src, next: end}
	s.offset = start
	return nil
}

// ReadAt implements [io.ReaderAt]. It seeks only if off is not where the last call ended.
func (s *seekable) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()

	position := s.next
	s.next = -1 // not known if Seek or Read fails
	if position != off {
		if err := s.seek(off); err != nil {
			return 0, err
		}
	}

	filled := 0
	for filled < len(p) {
		n, err := buffer.ReadSome(s.from, p[filled:])
		filled += n
		if err != nil {
			return filled, err
		}
	}
	s.next = off + int64(filled)
	return filled, nil
}

// seek moves to the offset, and fails if Seek reports another one.
func (s *seekable) seek(off int64) error {
	position, err := s.from.Seek(off, io.SeekStart)
	if err != nil {
		return err
	}
	if position != off {
		return errors.New("Seek went to another offset")
	}
	return nil
}
