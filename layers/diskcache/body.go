package diskcache

import (
	"context"
	"io"
	"io/fs"
	"math"
	"sync"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/crc32c"
)

const (
	// maxRun limits the number of blocks in one request. Before the request, the disk is searched
	// for each of the blocks.
	maxRun = 1024
	// toObjectEnd is the end of a run of blocks that ends with the object, whose size may be unknown.
	toObjectEnd = -1
)

// A body reads a range of a revision, block by block. It reads blocks from the cache. One request
// fetches all missing blocks up to the next block that the cache has.
type body struct {
	d        *objectDriver
	ctx      context.Context // of Get, because the methods of package io take none
	object   object
	size     int64 // size of the object in bytes
	pos, end int64 // offsets in the object: next byte to load, and end of the range

	buffer []byte         // memory for one block
	unread []byte         // bytes of buffer that are still to be delivered
	sum    uint32         // checksum of all bytes that were loaded
	want   storage.CRC32C // value that sum must have at the end of the object; unknown if only a part is read
	err    error          // error that Read returns after all loaded bytes

	mu      sync.Mutex // guards fetched and closed, because Close may be called during a Read
	fetched io.ReadCloser
	closed  bool
	next    int64 // number of the next block in the response of the store
	// endBlock is the number of the block after the last block of the response. It is toObjectEnd
	// if the response ends with the object.
	endBlock int64
}

// blockBytes returns the size of a block.
func (b *body) blockBytes() int64 { return b.d.cache.config.BlockBytes }

// name returns the name of a block of the object.
func (b *body) name(number int64) string {
	return blockName(b.object.bucket, b.object, b.blockBytes(), number)
}

// endOfMissing returns the number of the block after a run of blocks that the cache lacks, which begins
// with the block first. The run has at most maxRun blocks, and does not go beyond the block last.
func (b *body) endOfMissing(first, last int64) int64 {
	limit := min(last+1, first+maxRun)
	end := first + 1
	for end < limit && !b.d.cache.has(b.name(end)) {
		end++
	}
	return end
}

// endOfFirstRun returns the number of the block after the first run of blocks that r needs and the
// cache lacks, or toObjectEnd. The run begins with the block first.
func (b *body) endOfFirstRun(r *driver.GetRequest, first int64) int64 {
	if r.Length < 0 {
		return toObjectEnd
	}
	// The sum of any offset and length may be larger than an int64.
	end := r.Offset + min(r.Length, math.MaxInt64-r.Offset)
	return b.endOfMissing(first, (end-1)/b.blockBytes())
}

// fetch requests the blocks from first up to end, which may be toObjectEnd. The body then reads from
// the response.
func (b *body) fetch(first, end int64) (*storage.Attrs, error) {
	r := &driver.GetRequest{
		Key:       b.object.key,
		Version:   b.object.version,
		Offset:    first * b.blockBytes(),
		Length:    -1,
		Condition: storage.Condition{Revision: b.object.revision},
	}
	if end != toObjectEnd {
		r.Length = min((end-first)*b.blockBytes(), math.MaxInt64-r.Offset)
	}

	attrs, fetched, err := b.d.Driver.Get(b.ctx, r)
	if err != nil {
		return nil, err
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	closedMeanwhile := b.closed
	if closedMeanwhile {
		_ = fetched.Close()
		return nil, fs.ErrClosed
	}
	if attrs.Revision != b.object.revision {
		// The store has ignored the condition.
		_ = fetched.Close()
		return nil, storage.PreconditionFailed
	}

	b.d.trust(b.object.key, b.object.version, attrs)
	b.fetched = fetched
	b.next = first
	b.endBlock = end
	return attrs, nil
}

// Read returns bytes of the range, block by block. It implements [io.Reader].
func (b *body) Read(p []byte) (int, error) {
	if len(b.unread) == 0 && b.err == nil {
		if b.pos == b.end {
			return 0, io.EOF
		}
		b.load()
	}
	if len(b.unread) == 0 {
		return 0, b.err
	}

	n := copy(p, b.unread)
	b.unread = b.unread[n:]
	b.pos += int64(n)
	return n, nil
}

// load reads the block that has the byte at pos. It sets unread to the bytes of the range in this
// block, and err to the error that Read returns after them.
func (b *body) load() {
	blockBytes := b.blockBytes()
	number := b.pos / blockBytes
	start := number * blockBytes // offset of the block in the object
	if b.buffer == nil {
		b.buffer = make([]byte, min(blockBytes, b.size))
	}

	data := b.buffer[:min(blockBytes, b.size-start)]
	n, err := b.block(number, data)

	// Keep the bytes from pos up to the end of the range, even if the read failed after them.
	first := b.pos - start
	end := min(int64(n), b.end-start)
	if first < end {
		b.unread = data[first:end]
		b.err = err
		b.updateSum()
		return
	}

	// The byte at pos was not read. Without an error, the block is too short.
	if err == nil {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
}

// updateSum adds the unread bytes to the checksum of a read of the whole object. If the checksum is wrong at the end of
// the object, it removes all blocks of the object, so that later reads do not fail, too.
func (b *body) updateSum() {
	if !b.want.Known {
		return
	}

	b.sum = crc32c.Update(b.sum, b.unread)
	isAtEnd := b.pos+int64(len(b.unread)) >= b.size
	if !isAtEnd || b.sum == b.want.Sum {
		return
	}

	// An error does not matter: the cache may not have the block.
	count := (b.size + b.blockBytes() - 1) / b.blockBytes()
	for number := range count {
		_ = b.d.cache.root.Remove(b.name(number))
	}
}

// block reads a block into data, from the cache or from the store. If it fails, it returns how many
// bytes it has read.
func (b *body) block(number int64, data []byte) (int, error) {
	if resp := b.responseAt(number); resp != nil {
		return b.readResponse(resp, number, data)
	}
	if b.d.cache.read(b.name(number), data) {
		return len(data), nil
	}
	resp, err := b.request(number)
	if err != nil {
		return 0, err
	}
	return b.readResponse(resp, number, data)
}

// readResponse reads a block, which is the next one in the response of the store, into data and writes it
// to the cache. If it fails, it returns how many bytes it has read.
func (b *body) readResponse(resp io.Reader, number int64, data []byte) (int, error) {
	n, err := io.ReadFull(resp, data)
	if err != nil {
		return n, err
	}
	b.d.cache.write(b.name(number), data)
	b.next++
	return n, nil
}

// request requests the missing blocks of the range from the block first up to the next one in the
// cache, and returns the response.
func (b *body) request(first int64) (io.Reader, error) {
	last := (b.end - 1) / b.blockBytes()
	if _, err := b.fetch(first, b.endOfMissing(first, last)); err != nil {
		return nil, changedError(err)
	}
	resp := b.responseAt(first)
	if resp == nil {
		// Close was called after fetch.
		return nil, fs.ErrClosed
	}
	return resp, nil
}

// responseAt returns the store's response if the given block is next in it. Otherwise it closes the
// response, if there is one, and returns nil.
func (b *body) responseAt(number int64) io.Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fetched == nil {
		return nil
	}

	hasBlock := b.endBlock == toObjectEnd || number < b.endBlock
	if b.next == number && hasBlock {
		return b.fetched
	}
	_ = b.fetched.Close()
	b.fetched = nil
	return nil
}

// changedError returns the error of a Read for the error of a request, which is Changed if the object
// was replaced or removed.
func changedError(err error) error {
	switch storage.CodeOf(err) {
	case storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
		return storage.Changed
	}
	return err
}

// Close closes the response from which the body reads. It may be called while a Read waits.
func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.fetched == nil {
		return nil
	}
	err := b.fetched.Close()
	b.fetched = nil
	return err
}
