package encrypt

import (
	"errors"
	"hash/crc32"
	"io"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A sealingBody encrypts the body of a Put or of a part while it is read.
type sealingBody struct {
	plain io.Reader
	key   *dataKey
	first int64 // index of the body's first chunk in the object
	size  int64 // plain bytes; -1 if unknown
	final bool  // whether the object ends with this body

	plainSum *storage.CRC32C // expected checksum of the plain bytes; it may become known during the upload
	sum      *storage.CRC32C // checksum of the encrypted bytes; if it is not known before, it is set at the end
	// This field records the chunks of a part that earlier attempts have sent. It is nil for a Put.
	// Each attempt of a Put has a new data key, so its chunks need no comparison with earlier ones.
	sent *sentPart

	position int64              // offset of the next Read, in encrypted bytes
	index    int64              // index of the next chunk in this body
	chunk    *[sealedChunk]byte // buffer for a chunk; nil before the first byte and after the last
	hasCarry bool               // whether carry is the first byte of the next chunk
	carry    byte
	unread   []byte
	skip     int  // encrypted bytes that the next Read leaves out, after a Seek
	partial  bool // whether a Seek left out the first bytes, so that the sums do not cover the body
	err      error
	plainCRC uint32
	crc      uint32
}

// Read fills p as long as the body has bytes. If it returned one chunk at a time, the tag of a chunk
// could be sent in a TLS record of its own.
func (b *sealingBody) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		b.refill()
		if len(b.unread) == 0 {
			break
		}
		copied := copy(p[n:], b.unread)
		b.unread = b.unread[copied:]
		n += copied
	}
	b.position += int64(n)

	// Without an error, further chunks may follow.
	mayHaveMore := len(b.unread) > 0 || b.err == nil
	if mayHaveMore {
		return n, nil
	}

	// The body has ended or failed, so it needs its buffer no more.
	if b.chunk != nil {
		freeChunk(b.chunk)
		b.chunk = nil
	}
	return n, b.err
}

// refill encrypts further chunks until b.unread has bytes or b.err is set.
func (b *sealingBody) refill() {
	for len(b.unread) == 0 && b.err == nil {
		b.err = b.fill()
	}
}

// fill encrypts the next chunk into b.unread, and returns io.EOF with the last chunk.
func (b *sealingBody) fill() error {
	if b.chunk == nil {
		b.chunk = newChunk()
	}
	n, isLast, err := b.readChunk()
	if err != nil {
		return err
	}

	// The checksums cover the whole body with its last chunk, unless a Seek has left out its beginning.
	coversBody := isLast && !b.partial
	b.plainCRC = crc32.Update(b.plainCRC, castagnoli, b.chunk[:n])
	if coversBody && b.plainSum.Known && b.plainSum.Sum != b.plainCRC {
		return errDamaged("the body does not have the checksum that was given")
	}

	sealed := b.key.seal(b.chunk[:], n, b.first+b.index, isLast && b.final)
	// A part that is sent again must have the same bytes, because its nonces are the same.
	if b.sent != nil && !b.sent.recordChunk(b.index, sealed) {
		return errBodyChanged()
	}

	b.addToSum(sealed, coversBody)

	b.index++
	b.unread = sealed[min(b.skip, len(sealed)):]
	b.skip = 0
	if isLast {
		return io.EOF
	}
	return nil
}

// addToSum updates the checksum of the encrypted bytes with those of the next chunk. If the checksum then
// covers the whole body, addToSum stores it.
func (b *sealingBody) addToSum(sealed []byte, coversBody bool) {
	// The checksum was computed before.
	if b.sum == nil {
		return
	}
	b.crc = crc32.Update(b.crc, castagnoli, sealed)
	if coversBody {
		*b.sum = storage.CRC32C{Sum: b.crc, Known: true}
	}
}

// readChunk reads the plain bytes of the next chunk. If the chunk may be the last, it reads one more
// byte to see whether the body continues.
func (b *sealingBody) readChunk() (n int, isLast bool, err error) {
	// The size of the body is unknown.
	if b.size < 0 {
		return b.readUnsized()
	}

	remaining := b.size - b.index*chunkSize
	// At least one more chunk follows, so this one must be full.
	if remaining > chunkSize {
		n, err = b.readPlain(0, chunkSize)
		if err != nil {
			return 0, false, err
		}
		if n < chunkSize {
			return 0, false, io.ErrUnexpectedEOF
		}
		return n, false, nil
	}

	// The body must end with this chunk. One more byte would mean that it is too long.
	n, err = b.readPlain(0, int(remaining)+1)
	if err != nil {
		return 0, false, err
	}
	if int64(n) > remaining {
		return 0, false, errors.New("the body is longer than its size")
	}
	if int64(n) < remaining {
		return 0, false, io.ErrUnexpectedEOF
	}
	return n, true, nil
}

// readUnsized is readChunk for a body of unknown size. It reads a byte beyond the chunk to see whether
// the body continues, and keeps that byte for the next chunk.
func (b *sealingBody) readUnsized() (n int, isLast bool, err error) {
	start := 0
	if b.hasCarry {
		b.chunk[0] = b.carry
		start = 1
	}
	n, err = b.readPlain(start, chunkSize+1)
	if err != nil {
		return 0, false, err
	}
	b.hasCarry = n > chunkSize
	if !b.hasCarry {
		return n, true, nil
	}
	b.carry = b.chunk[chunkSize]
	return chunkSize, false, nil
}

// readPlain fills b.chunk[start:end] with plain bytes, and returns the index after the last of them. It
// is less than end only if the body has ended.
func (b *sealingBody) readPlain(start, end int) (int, error) {
	index := start
	for index < end {
		n, err := b.plain.Read(b.chunk[index:end])
		index += n
		if err == io.EOF {
			return index, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return index, nil
}

// asReader returns b without the optional methods, Seek and PeekAt, that its plain body cannot support.
func (b *sealingBody) asReader() io.Reader {
	if b.size < 0 {
		return struct{ io.Reader }{b}
	}
	if _, ok := b.plain.(driver.BodyPeeker); !ok {
		return struct{ io.ReadSeeker }{b}
	}
	return b
}

// Seek moves the position in the encrypted bytes. It fails if the size of the body is unknown.
func (b *sealingBody) Seek(offset int64, whence int) (int64, error) {
	// The caller only asks for the position.
	if whence == io.SeekCurrent && offset == 0 {
		return b.position, nil
	}

	position := offset
	switch whence {
	case io.SeekCurrent:
		position = b.position + offset
	case io.SeekEnd:
		position = sealedSize(b.size) + offset
	}

	seeker, ok := b.plain.(io.Seeker)
	if !ok || b.size < 0 || position < 0 {
		return 0, errors.New("encrypt: the body cannot seek")
	}
	if err := b.moveTo(position, seeker); err != nil {
		return 0, err
	}
	return position, nil
}

// moveTo makes the next Read begin at position, an offset in the encrypted bytes. That Read encrypts its
// first chunk as a whole, and leaves out the bytes before the position.
func (b *sealingBody) moveTo(position int64, plain io.Seeker) error {
	b.position = position
	b.index = position / sealedChunk
	b.skip = int(position % sealedChunk)
	plainStart := min(b.index*chunkSize, b.size)
	if _, err := plain.Seek(plainStart, io.SeekStart); err != nil {
		return err
	}

	// The checksums begin again. They are those of the body only if all of it is read.
	b.partial = position != 0
	b.crc = 0
	b.plainCRC = 0
	if b.sum != nil {
		*b.sum = storage.CRC32C{}
	}

	b.unread = nil
	b.hasCarry = false
	b.err = nil
	if position >= sealedSize(b.size) {
		b.err = io.EOF
	}
	return nil
}

// PeekAt implements [driver.BodyPeeker] for the encrypted bytes.
func (b *sealingBody) PeekAt(p []byte, off int64) (n int, err error) {
	chunk := newChunk()
	defer freeChunk(chunk)
	for n < len(p) {
		offset := off + int64(n)
		if offset >= sealedSize(b.size) {
			return n, io.EOF
		}
		sealed, err := b.peek(chunk[:], offset/sealedChunk)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], sealed[offset%sealedChunk:])
	}
	return n, nil
}

// peek encrypts the chunk with the given index into the buffer chunk, and does not move the position of
// the body.
func (b *sealingBody) peek(chunk []byte, index int64) ([]byte, error) {
	size := min(chunkSize, b.size-index*chunkSize)
	n, err := b.plain.(driver.BodyPeeker).PeekAt(chunk[:size], index*chunkSize)
	if int64(n) < size {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	isLast := (index+1)*chunkSize >= b.size
	return b.key.seal(chunk, int(size), b.first+index, b.final && isLast), nil
}

// hash stores the checksum of the encrypted bytes before they are sent.
func (b *sealingBody) hash() error {
	if _, canPeek := b.plain.(driver.BodyPeeker); canPeek {
		return b.hashChunks()
	}

	// Read the whole body. The last Read stores the checksum. Without b.sum, Seek cannot reset it.
	if _, err := io.Copy(io.Discard, b); err != nil {
		return err
	}
	b.sum = nil
	_, err := b.Seek(0, io.SeekStart)
	return err
}

// hashChunks is hash for plain bytes that can be read without moving the position of the body.
func (b *sealingBody) hashChunks() error {
	chunk := newChunk()
	defer freeChunk(chunk)
	var crc uint32
	for index := range chunkCount(b.size) {
		sealed, err := b.peek(chunk[:], index)
		if err != nil {
			return err
		}
		crc = crc32.Update(crc, castagnoli, sealed)
	}
	*b.sum = storage.CRC32C{Sum: crc, Known: true}

	// Without b.sum, Read and Seek cannot change the checksum.
	b.sum = nil
	return nil
}
