package memory

import (
	"errors"
	"io"
	"sync"

	"github.com/omnibucket/storage/s3server/internal/state"
)

// blobs counts the bytes of objects and parts. Several may share a blob, because a copy moves
// no bytes.
type blobs struct {
	bytes ledger // counts the bytes of all blobs, also of those that are being written
	mu    sync.Mutex
}

// A blob is bytes that never change. blobs.mu guards how often it is used.
type blob struct {
	data []byte
	uses int
}

// A piece is a part of a blob. Objects are lists of pieces.
type piece struct {
	blob         *blob
	offset, size int64
}

const (
	// pieceSize is the largest piece of an announced length, so that memory fills only as bytes
	// arrive.
	pieceSize = 4 << 20
	// readSize is the number of bytes that are read at a time, so that it stays in the processor's
	// cache until it is hashed.
	readSize = 64 << 10
)

// put stores a body. It fails with XMinioStorageFull as soon as there is no room.
func (b *blobs) put(from *state.Body) (stored []piece, err error) {
	if err := b.bytes.check(from.Size); err != nil {
		return nil, err
	}
	for left := from.Size; ; {
		size, body := left, io.Reader(from)
		if left > pieceSize {
			size, body = pieceSize, io.LimitReader(from, pieceSize)
		}
		p, err := b.putPiece(body, size)
		if err != nil {
			b.release(stored)
			return nil, err
		}
		stored = append(stored, p)
		if left -= size; left <= 0 {
			return stored, nil
		}
	}
}

// putPiece stores a blob of size bytes, or of any length at -1.
func (b *blobs) putPiece(from io.Reader, size int64) (piece, error) {
	counted := &countedBody{bytes: &b.bytes, from: from}
	if err := counted.count(max(size, 0)); err != nil {
		return piece{}, err
	}
	data, err := readAll(counted, size)
	if err != nil {
		b.bytes.free(counted.counted)
		return piece{}, err
	}
	return piece{blob: &blob{data: data, uses: 1}, size: int64(len(data))}, nil
}

// readAll reads a body to its end, which is after size bytes unless that is negative.
func readAll(body io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return io.ReadAll(body)
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(body, data); err != nil {
		return nil, err
	}
	switch _, err := io.ReadFull(body, make([]byte, 1)); err { // at its end, a body reports what is wrong
	case io.EOF:
		return data, nil
	case nil:
		return nil, errors.New("the body is longer than announced")
	default:
		return nil, err
	}
}

// A countedBody counts the bytes that are read from a body, unless they are counted already.
type countedBody struct {
	bytes         *ledger
	from          io.Reader
	read, counted int64 // bytes
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.from.Read(p[:min(len(p), readSize)])
	c.read += int64(n)
	if full := c.count(c.read); full != nil {
		return 0, full
	}
	return n, err
}

// count counts up to size bytes.
func (c *countedBody) count(size int64) error {
	if size <= c.counted {
		return nil
	}
	err := c.bytes.add(size - c.counted)
	if err == nil {
		c.counted = size
	}
	return err
}

// retain adds one use of the pieces.
func (b *blobs) retain(pieces []piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pieces {
		p.blob.uses++
	}
}

// release removes one use of the pieces.
func (b *blobs) release(pieces []piece) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range pieces {
		if p.blob.uses--; p.blob.uses == 0 {
			b.bytes.free(int64(len(p.blob.data)))
		}
	}
}

// slice returns length bytes of the pieces, from offset on.
func slice(pieces []piece, offset, length int64) []piece {
	var cut []piece
	for _, p := range pieces {
		if offset >= p.size {
			offset -= p.size
			continue
		}
		if length <= 0 {
			break
		}
		n := min(length, p.size-offset)
		cut = append(cut, piece{p.blob, p.offset + offset, n})
		offset, length = 0, length-n
	}
	return cut
}

// writeTo writes the bytes of pieces.
func writeTo(w io.Writer, pieces []piece) error {
	for _, p := range pieces {
		if p.size == 0 {
			continue
		}
		if _, err := w.Write(p.blob.data[p.offset : p.offset+p.size]); err != nil {
			return err
		}
	}
	return nil
}
