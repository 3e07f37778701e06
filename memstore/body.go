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

// readBody reads body into memory of exactly its length. size is the length, or -1 if it is
// unknown. The caller must hold no lock, because body may read from the same bucket.
func readBody(ctx context.Context, body io.Reader, size int64) ([]byte, error) {
	if size < 0 || size > exactSize {
		data, err := readStream(ctx, body)
		if err != nil {
			return nil, err
		}
		if size >= 0 && int64(len(data)) != size {
			return nil, wrongSize(size)
		}
		return data, nil
	}

	data := make([]byte, size)
	n, atEnd, err := fill(ctx, body, data)
	if err != nil {
		return nil, err
	}
	if !atEnd {
		// data is full, but the body may have more bytes.
		atEnd, err = hasEnded(ctx, body)
		if err != nil {
			return nil, err
		}
	}
	if !atEnd || n < len(data) {
		return nil, wrongSize(size)
	}
	return data, nil
}

// readStream reads a body of unknown length in chunks, and joins the chunks when the body has
// ended. The chunks grow up to the size of a block. The memory of whole blocks is reused.
func readStream(ctx context.Context, body io.Reader) ([]byte, error) {
	var backing [16][]byte // avoids allocating a slice of chunks for most bodies
	chunks := backing[:0]
	total := 0
	defer func() { giveBlocks(chunks) }()
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

// takeChunk returns memory for the next chunk of a body. total is the number of bytes that were
// read before it.
func takeChunk(total int) []byte {
	if total < block {
		// Each chunk is as large as all chunks before it.
		return make([]byte, max(total, firstChunk))
	}
	return blocks.Get().(*[block]byte)[:]
}

// giveBlocks returns the chunks that takeChunk took from the pool. Nobody may use them after that.
func giveBlocks(chunks [][]byte) {
	for _, chunk := range chunks {
		if cap(chunk) == block {
			blocks.Put((*[block]byte)(chunk[:block]))
		}
	}
}

// join returns a slice of exactly total bytes with the bytes of all chunks. If the first chunk has
// all of them and no spare capacity, join returns it without a copy.
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

// fill reads until buffer is full or body has ended. io.ReadFull does not fit: a body may itself
// fail with io.ErrUnexpectedEOF, as a broken download does, and that must not look like the end of
// the body.
func fill(ctx context.Context, body io.Reader, buffer []byte) (n int, atEnd bool, err error) {
	emptyReads := 0 // reads in a row that returned no bytes
	for n < len(buffer) {
		if err := interrupted(ctx); err != nil {
			return n, false, err
		}
		count, err := body.Read(buffer[n:min(len(buffer), n+block)])
		n += count
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
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

// hasEnded reports whether body has no more bytes. It reads into a block of the pool, and drops
// what it has read.
func hasEnded(ctx context.Context, body io.Reader) (bool, error) {
	space := blocks.Get().(*[block]byte)
	defer blocks.Put(space)
	n, _, err := fill(ctx, body, space[:1])
	return n == 0, err
}

// wrongSize returns the error for a body whose size differs from the declared size. Usually the
// engine finds this error first.
func wrongSize(size int64) error {
	return &storage.Error{Code: storage.BodyFailed, Err: fmt.Errorf("the body is not the declared %d bytes long", size)}
}
