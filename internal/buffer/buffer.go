// Package buffer has the memory of transfers.
//
// A [Buffer] holds one part. It grows by chunks of a mebibyte, and the first two are smaller. Each
// chunk is granted by a [Limit], which bounds all buffers and cached blocks of a program. A buffer
// that gets no chunk waits until another one is freed. It cannot wait for ever: if nothing that
// was granted moves to or from a store, the longest waiting buffer gets a small chunk over the
// limit. Free chunks are kept for later transfers.
package buffer

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/crc32c"
)

// Chunk sizes: the first two are small, so that a small body costs little. The third completes
// a mebibyte, so that parts of whole mebibytes waste nothing. All the others are of one size.
const (
	firstChunk  = 4 << 10
	secondChunk = 64 << 10
	thirdChunk  = chunkBytes - firstChunk - secondChunk
	chunkBytes  = 1 << 20

	// TwoChunks is how many bytes a buffer holds before it needs a large chunk.
	TwoChunks = firstChunk + secondChunk
)

// pools have the free chunks of each size.
var pools = [...]*chunkPool{{size: firstChunk}, {size: secondChunk}, {size: thirdChunk}, {size: chunkBytes}}

func poolOf(size int) *chunkPool {
	return pools[slices.IndexFunc(pools[:], func(p *chunkPool) bool { return p.size == size })]
}

// A Buffer is a part in memory. Its Limit grants chunks as they are needed, so that a slow source
// does not hold a whole part.
type Buffer struct {
	limit    *Limit
	over     *atomic.Int32 // counts the chunks granted over the limit
	chunks   [][]byte      // each has its full length; the last may be filled in part
	inline   [1][]byte     // memory of the first of chunks: a small body needs no more
	size     int64         // bytes filled
	reserved int64         // bytes granted
	crc      uint32        // checksum of the filled bytes
}

// New returns an empty Buffer. It counts in over the grants that exceed the limit.
func New(limit *Limit, over *atomic.Int32) *Buffer {
	b := &Buffer{}
	b.Init(limit, over)
	return b
}

// Init makes b the empty Buffer that New returns.
func (b *Buffer) Init(limit *Limit, over *atomic.Int32) {
	b.limit, b.over, b.chunks = limit, over, b.inline[:0]
}

// Size returns how many bytes were filled.
func (b *Buffer) Size() int64 { return b.size }

// CRC32C returns the checksum of the bytes that [Buffer.Fill] has read.
func (b *Buffer) CRC32C() uint32 { return b.crc }

func chunkSize(index int) int { return pools[min(index, len(pools)-1)].size }

// Filled counts n bytes that were written to the start of [Buffer.Space].
func (b *Buffer) Filled(n int) { b.size += int64(n) }

// Space returns space for up to limit bytes more.
func (b *Buffer) Space(ctx context.Context, limit int64) ([]byte, error) {
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
	return nil, io.ErrShortBuffer // not reached, because reserved is the length of the chunks
}

// Reserve requests the memory of size bytes at once.
func (b *Buffer) Reserve(ctx context.Context, size int64) error {
	for b.reserved < size {
		if err := b.grow(ctx, size); err != nil {
			return err
		}
	}
	return nil
}

// grow requests one more chunk, so that a slow source does not hold whole parts. If it has to
// wait, it requests all memory that the part of whole bytes still needs. Otherwise every
// waiting stream would get a piece of a part, and none could send one. Over the limit, a buffer
// gets one small chunk at a time, because the source may have stalled.
func (b *Buffer) grow(ctx context.Context, whole int64) error {
	first := chunkSize(len(b.chunks))
	if b.limit.Try(int64(first)) {
		b.add(first)
		return nil
	}
	sizes, total := []int{first}, int64(first)
	for len(b.chunks) > 1 && b.reserved+total < whole {
		size := chunkSize(len(b.chunks) + len(sizes))
		sizes, total = append(sizes, size), total+int64(size)
	}
	least := min(total, secondChunk)
	granted, over, err := b.limit.Acquire(ctx, b, total, least)
	if err != nil {
		return err
	}
	if over {
		b.over.Add(1)
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
func (b *Buffer) add(size int) {
	b.reserved += int64(size)
	b.chunks = append(b.chunks, poolOf(size).get())
}

// Fill reads from r until the buffer holds size bytes. If r ends before, it returns io.EOF, also
// if nothing was read.
func (b *Buffer) Fill(ctx context.Context, r io.Reader, size int64) error {
	for b.size < size {
		if err := ctx.Err(); err != nil { // a slow source need not fill the part before ctx is checked
			return err
		}
		free, err := b.Space(ctx, size-b.size)
		if err != nil {
			return err
		}
		n, err := ReadSome(r, free)
		b.crc = crc32c.Update(b.crc, free[:n])
		b.size += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// Free gives the memory back. It does nothing on nil. Nothing may read the buffer afterwards.
func (b *Buffer) Free() {
	if b == nil {
		return
	}
	for _, c := range b.chunks {
		poolOf(len(c)).put(c)
	}
	b.limit.Release(b.reserved)
	b.chunks, b.reserved, b.size = nil, 0, 0
}

// ReadAt implements [io.ReaderAt], for an io.SectionReader.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
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

// ReadSome makes one Read that returns bytes or an error. If the reader keeps returning
// neither, it fails with io.ErrNoProgress.
func ReadSome(r io.Reader, p []byte) (int, error) {
	for range MaxEmptyReads {
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

// MaxEmptyReads is how often in a row a Read may return neither bytes nor an error.
const MaxEmptyReads = 100

var errInvalidRead = errors.New("a Read returned an impossible count")
