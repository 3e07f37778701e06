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
	// One Read of the whole body is slower: bytes that are copied in blocks stay in the
	// processor's cache until they are written. Between two blocks, ctx is checked.
	block = 64 << 10
	// A declared size allocates no more memory than this at once.
	exactSize = 1 << 30
)

// readBody reads body to its end, of size bytes or, at -1, of any length, into
// memory of exactly that length. No lock is held: the body may read the bucket
// that it is stored in.
func readBody(ctx context.Context, body io.Reader, size int64) ([]byte, error) {
	if size < 0 || size > exactSize {
		data, err := readStream(ctx, body)
		if err == nil && size >= 0 && int64(len(data)) != size {
			return nil, wrongSize(size)
		}
		return data, err
	}
	data := make([]byte, size)
	n, ended, err := fill(ctx, body, data)
	if err == nil && !ended {
		ended, err = hasEnded(ctx, body)
	}
	if err != nil {
		return nil, err
	}
	if !ended || n < len(data) {
		return nil, wrongSize(size)
	}
	return data, nil
}

// readStream reads chunks that grow with the body, up to blocks that are pooled, and joins
// them.
func readStream(ctx context.Context, body io.Reader) ([]byte, error) {
	var few [16][]byte // most bodies need no slice of chunks on the heap
	chunks, total := few[:0], 0
	defer func() { giveBlocks(chunks) }()
	for {
		chunk := takeChunk(total)
		n, ended, err := fill(ctx, body, chunk)
		chunks, total = append(chunks, chunk[:n]), total+n
		if err != nil {
			return nil, err
		}
		if ended {
			return join(chunks, total), nil
		}
	}
}

var blocks = sync.Pool{New: func() any { return new([block]byte) }}

// takeChunk returns memory for a chunk that comes after total bytes.
func takeChunk(total int) []byte {
	if total < block {
		return make([]byte, max(total, firstChunk))
	}
	return blocks.Get().(*[block]byte)[:]
}

func giveBlocks(chunks [][]byte) {
	for _, chunk := range chunks {
		if cap(chunk) == block {
			blocks.Put((*[block]byte)(chunk[:block]))
		}
	}
}

// join returns the chunks in one piece of exactly total bytes. If the first chunk has them all
// and is full, it returns that chunk.
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

// maxEmptyReads is how many reads in a row may return nothing.
const maxEmptyReads = 100

// fill reads until buffer is full or body has ended. It differs from io.ReadFull in that it
// does not take a body's own io.ErrUnexpectedEOF, which a broken download returns, for the end
// of the body.
func fill(ctx context.Context, body io.Reader, buffer []byte) (n int, ended bool, err error) {
	for empty := 0; n < len(buffer); {
		if err := interrupted(ctx); err != nil {
			return n, false, err
		}
		m, err := body.Read(buffer[n:min(len(buffer), n+block)])
		n += m
		if empty++; m > 0 {
			empty = 0
		}
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
		if empty == maxEmptyReads {
			return n, false, io.ErrNoProgress
		}
	}
	return n, false, nil
}

// hasEnded reports whether body has no more bytes. It reads one into a block of the pool.
func hasEnded(ctx context.Context, body io.Reader) (bool, error) {
	space := blocks.Get().(*[block]byte)
	defer blocks.Put(space)
	n, _, err := fill(ctx, body, space[:1])
	return n == 0, err
}

// wrongSize returns the error for a body of another size than declared. The core usually finds
// that first.
func wrongSize(size int64) error {
	return &storage.Error{Code: storage.BodyFailed, Err: fmt.Errorf("the body is not the declared %d bytes long", size)}
}
