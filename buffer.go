package storage

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/omnibucket/storage/internal/crc32c"
)

// Chunk sizes: the first two are small, so that a small body costs little. The third completes
// a mebibyte, so that parts of whole mebibytes waste nothing. All the others are of one size.
const (
	firstChunk  = 4 << 10
	secondChunk = 64 << 10
	thirdChunk  = chunkBytes - firstChunk - secondChunk
	chunkBytes  = 1 << 20
)

var (
	firstChunks  = sync.Pool{New: func() any { return new([firstChunk]byte) }} // cheap to make again
	secondChunks = chunkPool{size: secondChunk}
	thirdChunks  = chunkPool{size: thirdChunk}
	otherChunks  = chunkPool{size: chunkBytes}
)

// A buffer is a part in memory. A BufferLimit grants its chunks as they are needed, so that a slow
// source does not hold a whole part.
type buffer struct {
	op       *operation
	chunks   [][]byte  // full length each; the last may be filled in part
	inline   [1][]byte // the first of chunks: a small body needs no more
	size     int64     // bytes filled
	reserved int64     // bytes granted
	crc      uint32    // of what was filled
}

func newBuffer(o *operation) *buffer {
	b := &buffer{}
	b.init(o)
	return b
}

func (b *buffer) init(o *operation) { b.op, b.chunks = o, b.inline[:0] }

func (b *buffer) limit() *BufferLimit { return b.op.core.bufferLimit }

func chunkSize(index int) int {
	switch index {
	case 0:
		return firstChunk
	case 1:
		return secondChunk
	case 2:
		return thirdChunk
	}
	return chunkBytes
}

// space returns space for up to limit bytes more.
func (b *buffer) space(ctx context.Context, limit int64) ([]byte, error) {
	if b.size == b.reserved {
		if err := b.grow(ctx, b.size+limit); err != nil {
			return nil, err
		}
	}
	end := int64(0)
	for _, c := range b.chunks {
		if end += int64(len(c)); b.size < end {
			free := c[int64(len(c))-(end-b.size):]
			return free[:min(int64(len(free)), limit)], nil
		}
	}
	return nil, io.ErrShortBuffer // not reached: reserved is the chunks' length
}

// reserve requests the memory of size bytes at once.
func (b *buffer) reserve(ctx context.Context, size int64) error {
	for b.reserved < size {
		if err := b.grow(ctx, size); err != nil {
			return err
		}
	}
	return nil
}

// grow requests one more chunk, so that a slow source does not hold whole parts. If it has to
// wait, it requests all that the part of whole bytes still needs. Else every waiting stream
// would get a piece of a part, and none could send. Over the limit it gets one small chunk at a
// time, because the source may have stalled.
func (b *buffer) grow(ctx context.Context, whole int64) error {
	first := chunkSize(len(b.chunks))
	if b.limit().try(int64(first)) {
		b.add(first)
		return nil
	}
	sizes, total := []int{first}, int64(first)
	for len(b.chunks) > 1 && b.reserved+total < whole {
		size := chunkSize(len(b.chunks) + len(sizes))
		sizes, total = append(sizes, size), total+int64(size)
	}
	least := min(total, secondChunk)
	granted, over, err := b.limit().acquire(ctx, b, total, least)
	if err != nil {
		return err
	}
	if over {
		b.op.overGrants.Add(1)
	}
	if granted < total {
		sizes = []int{int(least)}
	}
	for _, size := range sizes {
		b.add(size)
	}
	return nil
}

// add adds a chunk that was granted.
func (b *buffer) add(size int) {
	b.reserved += int64(size)
	b.chunks = append(b.chunks, takeChunk(size))
}

func takeChunk(size int) []byte {
	switch size {
	case firstChunk:
		return firstChunks.Get().(*[firstChunk]byte)[:]
	case secondChunk:
		return secondChunks.get()
	case thirdChunk:
		return thirdChunks.get()
	}
	return otherChunks.get()
}

func giveChunk(c []byte) {
	switch len(c) {
	case firstChunk:
		firstChunks.Put((*[firstChunk]byte)(c))
	case secondChunk:
		secondChunks.put(c)
	case thirdChunk:
		thirdChunks.put(c)
	case chunkBytes:
		otherChunks.put(c)
	}
}

// fill reads from r until the buffer holds size bytes. If r ends before, it returns io.EOF, also
// if nothing was read.
func (b *buffer) fill(ctx context.Context, r io.Reader, size int64) error {
	for b.size < size {
		if err := ctx.Err(); err != nil { // a slow source need not fill the part
			return err
		}
		free, err := b.space(ctx, size-b.size)
		if err != nil {
			return err
		}
		n, err := readSome(r, free)
		b.crc = crc32c.Update(b.crc, free[:n])
		b.size += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// free gives the memory back. It does nothing on nil. Nothing may read the buffer afterwards.
func (b *buffer) free() {
	if b == nil {
		return
	}
	for _, c := range b.chunks {
		giveChunk(c)
	}
	b.limit().release(b.reserved)
	b.chunks, b.reserved, b.size = nil, 0, 0
}

// ReadAt makes a buffer the io.ReaderAt of an io.SectionReader.
func (b *buffer) ReadAt(p []byte, off int64) (int, error) {
	total := 0
	for _, c := range b.chunks {
		if off >= int64(len(c)) {
			off -= int64(len(c))
			continue
		}
		n := copy(p[total:], c[off:])
		total += n
		off = 0
		if total == len(p) {
			return total, nil
		}
	}
	return total, io.EOF
}

// readSome makes one Read that returns bytes or an error. If the reader keeps returning
// neither, it fails with io.ErrNoProgress.
func readSome(r io.Reader, p []byte) (int, error) {
	for range maxEmptyReads {
		n, err := r.Read(p)
		if n < 0 || n > len(p) {
			return 0, errInvalidRead
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
	return 0, io.ErrNoProgress
}

const maxEmptyReads = 100

var errInvalidRead = errors.New("Read returned an impossible count")
