package memstore

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/omnibucket/storage"
)

const (
	firstChunk = 1 << 10
	// Bodies are read in blocks of this size. One Read of the whole body is slower, because bytes
	// of a small block stay in the processor's cache until they are copied. ctx is checked before
	// each block.
	block = 64 << 10
	// exactSize is the largest declared size for which memory is allocated before the body is read.
	exactSize = 1 << 30
)

// readBody reads body into memory of exactly its length, which is size unless size is -1. The caller
// must hold no lock, because body may read from the same bucket.
func readBody(ctx context.Context, body io.Reader, size int64) ([]byte, error) {
	// Up to exactSize, allocate the memory at once, so that the bytes need not be copied.
	hasSize := size >= 0
	if hasSize && size <= exactSize {
		return readSized(ctx, body, size)
	}

	// Without a size, or for a large one that may be wrong, the memory grows as bytes arrive.
	data, err := readStream(ctx, body)
	if err != nil {
		return nil, err
	}
	if hasSize && int64(len(data)) != size {
		return nil, wrongSize(size)
	}
	return data, nil
}

// readSized reads a body of exactly size bytes. It fails if the body is longer or shorter.
func readSized(ctx context.Context, body io.Reader, size int64) ([]byte, error) {
	data := make([]byte, size)
	n, atEnd, err := fill(ctx, body, data)
	if err != nil {
		return nil, err
	}
	if !atEnd {
		// The slice is full, but the body may have more bytes.
		atEnd, err = hasEnded(ctx, body)
		if err != nil {
			return nil, err
		}
	}

	isTooLong := !atEnd
	isTooShort := n < len(data)
	if isTooLong || isTooShort {
		return nil, wrongSize(size)
	}
	return data, nil
}

// readStream reads a body of unknown length in chunks, and joins them when the body has ended. The
// chunks grow up to the size of a block, and the memory of whole blocks is reused.
func readStream(ctx context.Context, body io.Reader) ([]byte, error) {
	var backing [16][]byte // avoids allocating a slice of chunks for most bodies
	chunks := backing[:0]
	total := 0
	// At the end, join has copied the blocks, so they can be used again. The closure sees chunks as it is
	// then.
	defer func() { returnBlocks(chunks) }()

	for {
		chunk := takeChunk(total)
		n, atEnd, err := fill(ctx, body, chunk)
		chunks = append(chunks, chunk[:n])
		total += n
		if err != nil {
			return nil, err
		}
		if atEnd {
			return join(chunks, total), nil
		}
	}
}

var blocks = sync.Pool{New: func() any { return new([block]byte) }}

// takeChunk returns memory for the next chunk of a body, of which total bytes were read before.
func takeChunk(total int) []byte {
	if total < block {
		// Each chunk is as large as all chunks before it.
		return make([]byte, max(total, firstChunk))
	}
	return blocks.Get().(*[block]byte)[:]
}

// returnBlocks returns to the pool the chunks that takeChunk took from it. They must not be used
// after that.
func returnBlocks(chunks [][]byte) {
	for _, chunk := range chunks {
		if cap(chunk) == block {
			blocks.Put((*[block]byte)(chunk[:block]))
		}
	}
}

// join returns the bytes of all chunks, of which there are total, in a slice without spare capacity.
// If the first chunk is that slice already, join does not copy it.
func join(chunks [][]byte, total int) []byte {
	if len(chunks) > 0 && len(chunks[0]) == total && cap(chunks[0]) == total {
		return chunks[0]
	}
	data := make([]byte, 0, total)
	for _, chunk := range chunks {
		data = append(data, chunk...)
	}
	return data
}

// maxEmptyReads is how many reads, one after another, may return no bytes.
const maxEmptyReads = 100

// fill reads until buf is full or body has ended. It is not io.ReadFull, because a body that fails
// with io.ErrUnexpectedEOF, as a broken download does, must not look like one that has ended.
func fill(ctx context.Context, body io.Reader, buf []byte) (n int, atEnd bool, err error) {
	emptyReads := 0 // reads in a row that returned no bytes
	for n < len(buf) {
		if err := contextErr(ctx); err != nil {
			return n, false, err
		}

		// Read at most a block at a time, so that the end of ctx is noticed in between.
		count, err := body.Read(buf[n:min(len(buf), n+block)])
		n += count
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}

		// A Read may return no bytes and no error, but not forever.
		if count > 0 {
			emptyReads = 0
			continue
		}
		emptyReads++
		if emptyReads == maxEmptyReads {
			return n, false, io.ErrNoProgress
		}
	}
	return n, false, nil
}

// hasEnded reports whether body has no more bytes. If there is one, hasEnded reads and drops it.
func hasEnded(ctx context.Context, body io.Reader) (bool, error) {
	buf := blocks.Get().(*[block]byte)
	defer blocks.Put(buf)
	n, _, err := fill(ctx, body, buf[:1])
	return n == 0, err
}

// wrongSize returns the error for a body whose size differs from the declared size. Usually the
// engine finds this error first.
func wrongSize(size int64) error {
	return &storage.Error{Code: storage.BodyFailed, Err: fmt.Errorf("the body is not the declared %d bytes long", size)}
}
