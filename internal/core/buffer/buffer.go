// Package buffer allocates and limits the memory of transfers.
//
// A [Buffer] holds one part of an upload or download. It grows by chunks of a mebibyte; the first
// two chunks are smaller. A [Limit], which all buffers and cached blocks of a program share, grants
// each chunk. If it grants none, the buffer waits until another buffer is freed.
//
// No buffer waits forever. If no granted memory is on its way to or from a store, the buffer that
// has waited longest gets a small chunk over the limit. Free chunks are kept for later transfers.
package buffer

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync/atomic"

	"github.com/omnibucket/storage/internal/crc32c"
)

// The first two chunks of a buffer are small, so that a small body needs little memory. The first
// three chunks together have one mebibyte, and each later chunk has one mebibyte. A part of whole
// mebibytes therefore wastes no memory.
const (
	firstChunk  = 4 << 10
	secondChunk = 64 << 10
	thirdChunk  = chunkBytes - firstChunk - secondChunk
	chunkBytes  = 1 << 20

	// TwoChunks is the number of bytes that a buffer can hold before it needs a large chunk.
	TwoChunks = firstChunk + secondChunk
)

// pools keep the free chunks, one pool for each size of a chunk.
var pools = [...]*chunkPool{{size: firstChunk}, {size: secondChunk}, {size: thirdChunk}, {size: chunkBytes}}

func poolOf(size int) *chunkPool {
	return pools[slices.IndexFunc(pools[:], func(p *chunkPool) bool { return p.size == size })]
}

// A Buffer holds one part in memory. It gets its chunks from the Limit as it needs them, so that a
// slow source does not occupy the memory of a whole part.
type Buffer struct {
	limit     *Limit
	overLimit *atomic.Int32 // number of chunks that were granted over the limit
	chunks    [][]byte      // the chunks at their full length; only a part of the last one may be filled
	inline    [1][]byte     // array for chunks, so that a small body with one chunk needs no allocation for the slice
	size      int64         // bytes filled
	reserved  int64         // bytes granted
	crc       uint32        // checksum of the filled bytes
}

// New returns an empty Buffer. If the limit grants more memory than it has, the Buffer adds 1 to
// the given counter.
func New(limit *Limit, excess *atomic.Int32) *Buffer {
	b := &Buffer{}
	b.Init(limit, excess)
	return b
}

// Init makes b an empty Buffer in place, so that b can be a field of another value. The arguments
// are those of [New].
func (b *Buffer) Init(limit *Limit, excess *atomic.Int32) {
	b.limit = limit
	b.overLimit = excess
	b.chunks = b.inline[:0]
}

// Size returns how many bytes the buffer holds.
func (b *Buffer) Size() int64 { return b.size }

// CRC32C returns the checksum of the bytes that [Buffer.Fill] has read.
func (b *Buffer) CRC32C() uint32 { return b.crc }

func chunkSize(index int) int { return pools[min(index, len(pools)-1)].size }

// Filled tells the buffer that the caller has written n bytes to the start of the slice that
// [Buffer.Space] returned.
func (b *Buffer) Filled(n int) { b.size += int64(n) }

// Space returns a slice of 1 to limit bytes to which the caller may write, and waits for memory if
// necessary. After writing, the caller calls [Buffer.Filled].
func (b *Buffer) Space(ctx context.Context, limit int64) ([]byte, error) {
	if b.size == b.reserved {
		// All chunks are full.
		if err := b.grow(ctx, b.size+limit); err != nil {
			return nil, err
		}
	}

	// Find the first chunk that is not full.
	start := int64(0) // offset of the chunk in the buffer
	for _, chunk := range b.chunks {
		end := start + int64(len(chunk))
		if b.size < end {
			free := chunk[b.size-start:]
			return free[:min(int64(len(free)), limit)], nil
		}
		start = end
	}
	// This cannot be reached, because the chunks have space for at least one more byte.
	return nil, io.ErrShortBuffer
}

// Reserve gets the memory for size bytes in advance, and waits for it if necessary.
func (b *Buffer) Reserve(ctx context.Context, size int64) error {
	for b.reserved < size {
		if err := b.grow(ctx, size); err != nil {
			return err
		}
	}
	return nil
}

// grow gets one more chunk for a part of partSize bytes in all.
//
// If grow has to wait, it requests all memory that the part still needs. If each stream requested
// one chunk at a time, every stream could get some memory, but none enough to send its part. If no
// memory becomes free, the limit grants only one small chunk, which may exceed the limit.
func (b *Buffer) grow(ctx context.Context, partSize int64) error {
	// Usually there is memory for the chunk at once.
	first := chunkSize(len(b.chunks))
	if b.limit.Try(int64(first)) {
		b.add(first)
		return nil
	}

	// Wait for the memory. The limit grants all of it, or only minSize, which is one small chunk.
	sizes, total := b.neededChunks(partSize)
	minSize := min(total, secondChunk)
	granted, overLimit, err := b.limit.Acquire(ctx, b, total, minSize)
	if err != nil {
		return err
	}
	if overLimit {
		b.overLimit.Add(1)
	}

	if granted < total {
		sizes = []int{int(minSize)}
	}
	for _, size := range sizes {
		b.add(size)
	}
	return nil
}

// neededChunks returns the sizes of the chunks that a part of partSize bytes still needs, and their total in
// bytes. If the buffer has at most one chunk, it returns only the next, because the source may send nothing
// more.
func (b *Buffer) neededChunks(partSize int64) (sizes []int, total int64) {
	next := chunkSize(len(b.chunks))
	sizes = []int{next}
	total = int64(next)
	if len(b.chunks) <= 1 {
		return sizes, total
	}

	for b.reserved+total < partSize {
		size := chunkSize(len(b.chunks) + len(sizes))
		sizes = append(sizes, size)
		total += int64(size)
	}
	return sizes, total
}

// add takes a chunk from the pool. size is the size of the chunk in bytes. The limit
// must have granted these bytes.
func (b *Buffer) add(size int) {
	b.reserved += int64(size)
	b.chunks = append(b.chunks, poolOf(size).get())
}

// Fill reads from r until the buffer holds size bytes. If r ends before that, Fill returns io.EOF,
// even if it has read some bytes.
func (b *Buffer) Fill(ctx context.Context, r io.Reader, size int64) error {
	for b.size < size {
		// A slow source may take long, so check ctx before each Read.
		if err := ctx.Err(); err != nil {
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

// Free gives the memory of the buffer back. The buffer must not be read after that. Free does
// nothing if b is nil.
func (b *Buffer) Free() {
	if b == nil {
		return
	}
	for _, chunk := range b.chunks {
		poolOf(len(chunk)).put(chunk)
	}
	b.limit.Release(b.reserved)
	b.chunks = nil
	b.reserved = 0
	b.size = 0
}

// ReadAt implements [io.ReaderAt], for an io.SectionReader.
func (b *Buffer) ReadAt(p []byte, off int64) (int, error) {
	total := 0
	for _, chunk := range b.chunks {
		// From here on, off counts from the beginning of this chunk.
		if off >= int64(len(chunk)) {
			off -= int64(len(chunk))
			continue
		}
		total += copy(p[total:], chunk[off:])
		off = 0
		if total == len(p) {
			return total, nil
		}
	}
	return total, io.EOF
}

// ReadSome calls r.Read until a call returns bytes or an error. After [MaxEmptyReads] calls that
// return neither, it fails with io.ErrNoProgress.
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

// MaxEmptyReads is the number of consecutive Reads that may return neither bytes nor an error.
const MaxEmptyReads = 100

var errInvalidRead = errors.New("a Read returned an impossible count")
