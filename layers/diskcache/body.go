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

// maxRun limits the number of blocks in one request. Before the request, the disk is searched for
// each of the blocks.
const maxRun = 1024

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
	// endBlock is the number of the block after the last block of the response. It is -1 if
	// the response ends with the object.
	endBlock int64
}

// blockBytes returns the size of a block.
func (b *body) blockBytes() int64 { return b.d.cache.config.BlockBytes }

// name returns the name of a block of the object.
func (b *body) name(number int64) string {
	return blockName(b.object.bucket, b.object, b.blockBytes(), number)
}

// endOfMissing returns the end of a run of blocks that the cache lacks. first is the
// number of the first block of the run. The run ends before the next block in the cache, after the
// block with the number last, or after maxRun blocks. The result is the number of the first block
// after the run.
func (b *body) endOfMissing(first, last int64) int64 {
	number := first + 1
	for number <= last && number < first+maxRun && !b.d.cache.has(b.name(number)) {
		number++
	}
	return number
}

// fetch sends a request for a run of blocks. Both parameters are numbers of blocks: the first block
// of the run, and the block after the run. If the second parameter is -1, the run ends at the end
// of the object.
func (b *body) fetch(first, end int64) (*storage.Attrs, error) {
	r := &driver.GetRequest{
		Key:       b.object.key,
		Version:   b.object.version,
		Offset:    first * b.blockBytes(),
		Length:    -1,
		Condition: storage.Condition{Revision: b.object.revision},
	}
	if end >= 0 {
		r.Length = min((end-first)*b.blockBytes(), math.MaxInt64-r.Offset)
	}
	attrs, fetched, err := b.d.Driver.Get(b.ctx, r)
	if err != nil {
		return nil, err
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
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

// Read implements io.Reader.
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

// load reads the block with the byte at pos into buffer. It sets unread to the bytes from pos to the
// end of the block or of the range, and err to the error that Read returns after them.
func (b *body) load() {
	blockBytes := b.blockBytes()
	number := b.pos / blockBytes
	start := number * blockBytes // offset of the block in the object
	if b.buffer == nil {
		b.buffer = make([]byte, min(blockBytes, b.size))
	}

	data := b.buffer[:min(blockBytes, b.size-start)]
	n, err := b.block(number, data)
	b.err = err

	// A read that has failed may have loaded some of the bytes.
	first := b.pos - start
	end := min(int64(n), b.end-start)
	if first < end {
		b.unread = data[first:end]
		b.verify()
		return
	}
	if err == nil {
		b.err = io.ErrUnexpectedEOF
	}
}

// verify compares the checksum of an object that was read as a whole. If the checksum is wrong,
// verify removes all blocks of the object from the cache. With the wrong blocks in the cache, every
// later read would fail with ChecksumMismatch.
func (b *body) verify() {
	if !b.want.Known {
		return
	}
	b.sum = crc32c.Update(b.sum, b.unread)
	if b.pos+int64(len(b.unread)) < b.size || b.sum == b.want.Sum {
		return
	}
	for number := range (b.size + b.blockBytes() - 1) / b.blockBytes() {
		_ = b.d.cache.root.Remove(b.name(number))
	}
}

// block reads a block into data, from the cache or the store. It returns the number of bytes, which
// is less than the length of data if it fails.
func (b *body) block(number int64, data []byte) (int, error) {
	fetched := b.readerOf(number)
	if fetched == nil {
		if b.d.cache.read(b.name(number), data) {
			return len(data), nil
		}
		last := (b.end - 1) / b.blockBytes()
		if _, err := b.fetch(number, b.endOfMissing(number, last)); err != nil {
			return 0, changedError(err)
		}
		fetched = b.readerOf(number)
	}
	if fetched == nil {
		return 0, fs.ErrClosed
	}

	n, err := io.ReadFull(fetched, data)
	if err != nil {
		return n, err
	}
	b.d.cache.write(b.name(number), data)
	b.next++
	return n, nil
}

// changedError translates the error of a request that a body makes during a Read. If the
// error shows that the object was replaced or removed, the result is Changed.
func changedError(err error) error {
	switch storage.CodeOf(err) {
	case storage.PreconditionFailed, storage.ObjectNotFound, storage.RangeNotSatisfiable:
		return storage.Changed
	}
	return err
}

// readerOf returns the reader whose next bytes are the block with this number. It returns nil if
// there is no such reader.
func (b *body) readerOf(number int64) io.Reader {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fetched == nil {
		return nil
	}
	if b.next == number && (b.endBlock < 0 || number < b.endBlock) {
		return b.fetched
	}
	_ = b.fetched.Close()
	b.fetched = nil
	return nil
}

// Close may be called while a Read waits.
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
