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
	first int64 // the index of its first chunk in the object
	size  int64 // plain bytes; -1 if unknown
	final bool  // whether the object ends with it

	plainSum *storage.CRC32C // checked at the end, if it is known by then
	sum      *storage.CRC32C // of the encrypted bytes; set at the end, unless it is known before

	position int64              // of the next Read, in encrypted bytes
	index    int64              // of the next chunk, in this body
	chunk    *[sealedChunk]byte // nil before the first byte and after the last
	carried  int                // 1 if the first byte of the next chunk is carry
	carry    byte
	unread   []byte
	skip     int  // encrypted bytes to leave out after a Seek
	whole    bool // whether all bytes from the start were read: the sums are theirs
	err      error
	plainCRC uint32
	crc      uint32
}

func (k *dataKey) body(plain io.Reader, first, size int64, final bool, plainSum, sum *storage.CRC32C) *sealingBody {
	return &sealingBody{plain: plain, key: k, first: first, size: size, final: final, plainSum: plainSum, sum: sum, whole: true}
}

func (b *sealingBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(b.unread) == 0 {
		if b.err != nil {
			if b.chunk != nil && b.err == io.EOF {
				freeChunk(b.chunk)
				b.chunk = nil
			}
			return 0, b.err
		}
		b.err = b.fill()
	}
	n := copy(p, b.unread)
	b.unread = b.unread[n:]
	b.position += int64(n)
	return n, nil
}

// fill encrypts the next chunk. It reads one byte more, to learn whether the chunk is the last.
func (b *sealingBody) fill() error {
	if b.chunk == nil {
		b.chunk = newChunk()
	}
	buf, n := b.chunk[:chunkSize+1], b.carried
	buf[0] = b.carry
	var err error
	for n < len(buf) && err == nil {
		var k int
		k, err = b.plain.Read(buf[n:])
		n += k
	}
	if err != nil && err != io.EOF {
		return err
	}
	if err == io.EOF && n == 0 && b.index+b.first > 0 {
		return io.EOF // after a Seek to the end
	}
	ends := n <= chunkSize
	if b.carried = 1; ends {
		b.carried = 0
	}
	b.carry, n = buf[chunkSize], min(n, chunkSize)
	b.plainCRC = crc32.Update(b.plainCRC, castagnoli, buf[:n])
	if ends && b.whole && b.plainSum.Known && b.plainSum.Sum != b.plainCRC {
		return damaged("the body does not have the checksum that was given")
	}
	sealed := b.key.seal(b.chunk[:], n, b.first+b.index, ends && b.final)
	b.index++
	if b.sum != nil { // otherwise it was computed before
		b.crc = crc32.Update(b.crc, castagnoli, sealed)
	}
	b.unread = sealed[min(b.skip, len(sealed)):]
	b.skip = 0
	if !ends {
		return nil
	}
	if b.whole && b.sum != nil {
		*b.sum = storage.KnownCRC32C(b.crc)
	}
	return io.EOF
}

// shown returns the body with the methods that the plain one has.
func (b *sealingBody) shown() io.Reader {
	_, peeks := b.plain.(driver.BodyPeeker)
	switch {
	case b.size < 0:
		return struct{ io.Reader }{b}
	case !peeks:
		return struct{ io.ReadSeeker }{b}
	}
	return b
}

// Seek needs a body of known size.
func (b *sealingBody) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		if offset == 0 {
			return b.position, nil
		}
		offset += b.position
	case io.SeekEnd:
		offset += sealedSize(b.size)
	}
	from, ok := b.plain.(io.Seeker)
	if !ok || b.size < 0 || offset < 0 {
		return 0, errors.New("encrypt: the body cannot seek")
	}
	b.position, b.index, b.skip = offset, offset/sealedChunk, int(offset%sealedChunk)
	if _, err := from.Seek(min(b.index*chunkSize, b.size), io.SeekStart); err != nil {
		return 0, err
	}
	b.unread, b.err, b.carried, b.crc, b.plainCRC, b.whole = nil, nil, 0, 0, 0, offset == 0
	if offset >= sealedSize(b.size) {
		b.err = io.EOF
	}
	if b.sum != nil {
		*b.sum = storage.CRC32C{}
	}
	return offset, nil
}

// PeekAt implements [driver.BodyPeeker].
func (b *sealingBody) PeekAt(p []byte, off int64) (n int, err error) {
	chunk := newChunk()
	defer freeChunk(chunk)
	for n < len(p) {
		at := off + int64(n)
		if at >= sealedSize(b.size) {
			return n, io.EOF
		}
		sealed, err := b.peek(chunk[:], at/sealedChunk)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], sealed[at%sealedChunk:])
	}
	return n, nil
}

// peek encrypts a chunk of the body aside.
func (b *sealingBody) peek(chunk []byte, index int64) ([]byte, error) {
	n := min(chunkSize, b.size-index*chunkSize)
	if k, err := b.plain.(driver.BodyPeeker).PeekAt(chunk[:n], index*chunkSize); int64(k) < n {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return b.key.seal(chunk, int(n), b.first+index, b.final && (index+1)*chunkSize >= b.size), nil
}

// hash computes the checksum of the encrypted bytes before they are sent.
func (b *sealingBody) hash() error {
	sum := b.sum
	if _, ok := b.plain.(driver.BodyPeeker); !ok {
		if _, err := io.Copy(io.Discard, struct{ io.Reader }{b}); err != nil {
			return err
		}
		known := *sum
		_, err := b.Seek(0, io.SeekStart)
		*sum, b.sum = known, nil
		return err
	}
	chunk := newChunk()
	defer freeChunk(chunk)
	var crc uint32
	for index := int64(0); index*sealedChunk < sealedSize(b.size); index++ {
		sealed, err := b.peek(chunk[:], index)
		if err != nil {
			return err
		}
		crc = crc32.Update(crc, castagnoli, sealed)
	}
	*sum, b.sum = storage.KnownCRC32C(crc), nil
	return nil
}
